"""One wait or a group of them: its state, its polls and its log. No scheduling, no Airflow."""
