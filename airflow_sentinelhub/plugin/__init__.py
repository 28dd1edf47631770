"""Airflow plugin, loaded by every process of Airflow, so it must cost nothing there."""
