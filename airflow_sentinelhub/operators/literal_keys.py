"""
Refusing keys that a DAG's author has written out where Airflow stores them in clear.

What is given to ``partial``, ``expand``, ``expand_kwargs`` or as ``default_args`` becomes a part of the stored DAG
before any operator exists that could take keys out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow.sdk.definitions.mappedoperator import OperatorPartial

from airflow_sentinelhub.jobs.coordinates import is_coordinates
from airflow_sentinelhub.jobs.limit import is_template
from airflow_sentinelhub.jobs.redaction import is_secret_name
from airflow_sentinelhub.operators.request_secrets import literal_fields, read_request

_REQUEST = "request"


class KeylessPartial(OperatorPartial):
    """Partial of an operator that makes a job from a request."""

    __slots__ = ()

    @classmethod
    def of(cls, partial: OperatorPartial) -> KeylessPartial:
        """
        Check the arguments of a partial, and let it check those that follow.

        :param partial: what Airflow has made, with the ``default_args`` of its DAG.
        :raises ValueError: a key is written out in its request.
        """
        partial.__class__ = cls
        assert isinstance(partial, KeylessPartial)  # noqa: S101 - for the type checker
        partial._refuse("partial", partial.kwargs)
        # Airflow takes what is no argument of every operator from there only when the task runs.
        above = [partial.kwargs.get("dag"), partial.kwargs.get("task_group")]
        for each in filter(None, above):
            partial._refuse("partial with default_args", each.default_args)
        return partial

    def expand(self, **mapped_kwargs: Any) -> Any:
        """Map over lists of arguments, see Airflow."""
        self._refuse("expand", mapped_kwargs)
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> Any:
        """Map over a list of dictionaries of arguments, see Airflow."""
        if isinstance(kwargs, Sequence) and not isinstance(kwargs, str):
            for number, each in enumerate(kwargs):
                if isinstance(each, Mapping):
                    self._refuse(f"expand_kwargs, item {number}", each)
        return super().expand_kwargs(kwargs, strict=strict)

    def _refuse(self, method: str, arguments: Mapping[str, Any]) -> None:
        expanded, self._expand_called = (
            self._expand_called,
            True,
        )  # Airflow warns of a partial that was not expanded
        refuse(f"{self.operator_class.__name__}.{method}", arguments)
        self._expand_called = expanded


def refuse(place: str, arguments: Mapping[str, Any] | None) -> None:
    """
    Make sure that no key is written out.

    :param place: where the arguments are given, for the message.
    :param arguments: by name.
    :raises ValueError: the request among them holds one. The message says where, and not which.
    """
    request = (arguments or {}).get(_REQUEST)
    path = next(_keys(request, _REQUEST), None)
    if path is not None:
        raise ValueError(
            f"{place}: {path} is a key that is written out. Airflow stores what is given there in clear, with the "
            "DAG. Leave it out, and name with delivery_conn_id an Airflow connection that has it, or take it from "
            "a template such as {{ conn.my_bucket.password }}."
        )


def _keys(value: Any, path: str) -> Iterator[str]:
    """Find the paths of keys that are written out."""
    if isinstance(value, str):
        read = read_request(value)
        if read is not None:
            yield from _keys(read, path)
        else:
            yield from (f"{path}, field {name!r}," for name in literal_fields(value))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            below = f"{path}[{str(name)[:100]!r}]"
            if not is_secret_name(str(name)):
                yield from _keys(each, below)
            elif each and not is_template(each):
                yield below
    elif isinstance(value, list | tuple) and not is_coordinates(value):
        for number, each in enumerate(value):
            yield from _keys(each, f"{path}[{number}]")
