"""One poller per account and API, shared by all waits of an event loop. No Airflow."""
