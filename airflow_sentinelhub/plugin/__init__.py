"""What Airflow loads by itself, in every process: it has to cost nothing there."""
