"""The id of a batch request, or many of them, in whatever form a DAG has them."""

from __future__ import annotations

import ast
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_sentinelhub.exceptions import InvalidRequestId
from airflow_sentinelhub.jobs.redaction import REDACT


def extract_id(value: Any) -> Any:
    """
    Take the id out of a job.

    A job payload gives its ``id``, the JSON text of one too, an object (such as sentinelhub-py's
    ``BatchRequest``) its ``request_id``. Everything else, a template or an XCom reference among it, is handed
    back as it is. What is around the id is dropped early, since a payload carries the whole request and
    Airflow shows rendered fields.

    :param value: whatever the user gave.
    """
    if isinstance(value, Mapping):
        return value.get("id") or value.get("request_id") or value
    if isinstance(value, str) and value.lstrip().startswith("{") and not value.lstrip().startswith(("{{", "{%")):
        for read in (json.loads, ast.literal_eval):  # the latter: a dictionary that Jinja wrote into a text
            try:
                return extract_id(read(value.strip()))
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
        return value
    if not isinstance(value, str) and isinstance(getattr(value, "request_id", None), str):
        return value.request_id
    return value


class IdField:
    """
    An attribute that keeps ids instead of jobs, from the moment when it is set.

    Airflow shows rendered fields, and a job's payload carries its request.

    :param reduce: :func:`extract_id` or :func:`extract_ids`.
    """

    def __init__(self, reduce: Callable[[Any], Any]) -> None:
        self._reduce = reduce

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else getattr(instance, self._name)

    def __set__(self, instance: object, value: Any) -> None:
        setattr(instance, self._name, self._reduce(value))


def parse_request_id(value: Any) -> str:
    """
    Return the id of a batch request in its canonical form.

    :param value: an id, a job payload with ``id``, its JSON text, or an object with ``request_id``.
    :raises InvalidRequestId: there is no UUID in it. Asking the service would only cost requests.
    """
    found = extract_id(value)
    if isinstance(found, uuid.UUID):
        return str(found)
    if isinstance(found, str):
        try:
            return str(uuid.UUID(found.strip()))
        except ValueError:
            pass
    raise InvalidRequestId(
        f"request_id is {_shown(found)}, which is no batch request id (a UUID such as "
        "0a1b2c3d-0000-4000-8000-000000000000). Give an id, a job as a dictionary or JSON text with 'id', or "
        "an object with 'request_id'; from another task, what that task returned."
    )


def extract_ids(value: Any) -> Any:
    """
    Take the ids out of many jobs, see :func:`extract_id`.

    A list, the results of a mapped task, or the text of a list gives a list; everything else is handed back as
    :func:`extract_id` does it.

    :param value: whatever the user gave.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        for read in (json.loads, ast.literal_eval):  # the latter: a list that Jinja wrote into a text
            try:
                return extract_ids(read(value.strip()))
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
        return value
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        # As a slice: the results of a mapped task are read from Airflow's API, else one by one.
        return [extract_id(each) for each in value[:]]
    if isinstance(value, set | frozenset):
        return [extract_id(each) for each in sorted(value, key=str)]
    return extract_id(value)


def parse_request_ids(value: Any) -> tuple[list[str], int]:
    """
    Return the ids of batch requests in their canonical form, each once, in the order given.

    :param value: a list, the results of a mapped task, or the text of a list, of whatever
        :func:`parse_request_id` takes. Just one of these is a list of one.
    :return: the ids, and how many were left out because they were there already.
    :raises InvalidRequestId: one of them is no id; the message says which.
    """
    reduced = extract_ids(value)
    given = reduced if isinstance(reduced, list) else [reduced]
    ids: dict[str, None] = {}
    for number, each in enumerate(given, start=1):
        try:
            ids[parse_request_id(each)] = None
        except InvalidRequestId as error:
            place = f"number {number} of {len(given)}" if given is reduced else "no list"
            raise InvalidRequestId(f"request_ids, {place}: {error}") from None
    return list(ids), len(given) - len(ids)


def _shown(value: Any) -> str:
    # Only a short text is shown: anything longer may be a whole request with the keys of a bucket.
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return repr(REDACT.line(value, 60))
    if value is None:
        return "None (did the task that should give it return nothing?)"
    return f"a {type(value).__name__} without 'id'"
