"""Reading a connection without a warning that is none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_MASKERS = ("airflow.sdk._shared.secrets_masker.secrets_masker", "airflow._shared.secrets_masker.secrets_masker")
_WARNING = "Skipping masking for a secret"


@contextmanager
def no_warning_of_short_values() -> Iterator[None]:
    """
    Leave out a warning of Airflow while a connection is read.

    Airflow takes each value in extra for a secret, and warns that one is too short to be masked: ``cdse``, say.
    """

    def is_another(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(_WARNING)

    loggers = [logging.getLogger(name) for name in _MASKERS]
    for logger in loggers:
        logger.addFilter(is_another)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_another)
