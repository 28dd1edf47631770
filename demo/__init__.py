"""`make demo`: six waits in a real Airflow, and the throw-away Airflow that the system tests share."""
