"""One wait or a group of them: its state, its looks and its log. No scheduling, no Airflow."""
