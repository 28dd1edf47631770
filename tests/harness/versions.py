"""Where the Airflows differ that the tests run on."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

from tests.harness import requirements

AIRFLOW = tuple(int(number) for number in importlib.metadata.version("apache-airflow").split(".")[:2])

# A warning is an error in the tests, and an Airflow that stumbles over its own does not even find a connection.
AIRFLOWS_OWN_WARNINGS = {
    (3, 1): [
        # Its core imports the standard provider, and with it the old name of something.
        "ignore:The `airflow.operators.branch.BaseBranchOperator` attribute is deprecated:FutureWarning",
        # It makes the connections of environment variables with a model, whose use in a task it disapproves of.
        "ignore:Using Connection.from_(json|uri) from `airflow.models` is deprecated:DeprecationWarning",
    ],
    (3, 2): [
        # Its service behind the form of connections asks for the hooks in the old way.
        "ignore:ProvidersManager.hooks is deprecated:FutureWarning",
        # Its OpenTelemetry asks for entry points in the old way, once in a process.
        "ignore:SelectableGroups dict interface is deprecated:DeprecationWarning",
    ],
}.get(AIRFLOW, [])


def needs_airflow(version: str, what_it_does: str) -> pytest.MarkDecorator:
    """
    Mark a test that makes no sense below a version of Airflow.

    :param version: such as ``3.3``.
    :param what_it_does: what only that version does, for who reads the test.
    """
    needed = tuple(int(number) for number in version.split("."))
    return pytest.mark.skipif(needed > AIRFLOW, reason=requirements.airflow(version))


def serialize(arguments: dict[str, Any]) -> Any:
    """Return arguments of a trigger, or of the method after it, as Airflow stores them."""
    if AIRFLOW < (3, 2):
        from airflow.serialization.serialized_objects import BaseSerialization

        return BaseSerialization.serialize(arguments)
    from airflow.sdk import serde

    return serde.serialize(arguments)


def deserialize(stored: Any) -> Any:
    """Read what :func:`serialize` gave."""
    if AIRFLOW < (3, 2):
        from airflow.serialization.serialized_objects import BaseSerialization

        return BaseSerialization.deserialize(stored)
    from airflow.sdk import serde

    return serde.deserialize(stored)


def through_the_database(dag: Any) -> Any:
    """Return a DAG as the scheduler sees it."""
    from airflow.serialization import serialized_objects

    name = "SerializedDAG" if AIRFLOW < (3, 2) else "DagSerialization"
    serialization = getattr(serialized_objects, name)
    return serialization.from_json(serialization.to_json(dag))


def dag_bag(folder: Path) -> Any:
    """Let Airflow find the DAGs in the files of a folder."""
    if AIRFLOW < (3, 2):
        from airflow.models.dagbag import DagBag  # noqa: TID251 - for its parsing of files alone
    else:
        from airflow.dag_processing.dagbag import DagBag
    return DagBag(folder)
