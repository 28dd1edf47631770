"""What a job left in its user's bucket, read through Airflow's object storage."""
