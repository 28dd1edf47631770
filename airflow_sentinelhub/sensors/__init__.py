"""Airflow sensors for Sentinel Hub's batch APIs."""
