"""Watching jobs: who asks for which and when, what the looks come to, and what a log tells. No Airflow in here."""
