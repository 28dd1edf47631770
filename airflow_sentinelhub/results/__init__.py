"""Result files of a job in its user's bucket, read through Airflow's object storage."""
