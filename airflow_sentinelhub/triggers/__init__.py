"""Airflow triggers for Sentinel Hub's batch APIs."""
