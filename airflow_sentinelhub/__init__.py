"""Non-blocking waits for Sentinel Hub batch jobs in Apache Airflow."""

__version__ = "0.1.0"
