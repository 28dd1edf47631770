"""Keeping secrets out of what people read: the client's names for :mod:`airflow_sentinelhub.jobs.redaction`."""

from __future__ import annotations

from airflow_sentinelhub.jobs.redaction import MASK, REDACT, Redactor, secrets_in

Scrubber = Redactor
credentials_in = secrets_in

__all__ = ["MASK", "REDACT", "Scrubber", "credentials_in"]
