"""Which lines of a task's log the provider has written, whatever Airflow's version says of a line."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import airflow_sentinelhub

_PACKAGE = "airflow_sentinelhub"


def lines_of_package(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the lines that the provider has written.

    :param lines: lines as Airflow's API returns them. Airflow 3.1 may name no logger, only the file.
    """
    return [line for line in lines if _is_of_package(line)]


def _is_of_package(line: dict[str, Any]) -> bool:
    if line.get("logger") is not None:
        return _PACKAGE in str(line["logger"])
    return line.get("filename") in _file_names()


@cache
def _file_names() -> frozenset[str]:
    return frozenset(file.name for file in Path(airflow_sentinelhub.__file__).parent.rglob("*.py")) - {
        "__init__.py"
    }
