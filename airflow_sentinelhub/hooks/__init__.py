"""Airflow hooks for Sentinel Hub's batch APIs."""
