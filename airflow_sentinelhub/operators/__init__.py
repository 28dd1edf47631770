"""Airflow operators for Sentinel Hub's batch APIs."""
