"""Names of arguments: those that a class does not have are refused, with the name that was probably meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Iterable

_OF_AIRFLOW_ITSELF = "_airflow"


def refuse_unknown_arguments(task_class: type, names: Iterable[str], task_id: object = None) -> None:
    """
    Refuse arguments that a task does not have.

    Airflow refuses them as well, but does not say what is meant.

    :param task_class: the class of the task.
    :param names: the names that were given.
    :param task_id: the task, for the message.
    :raises TypeError: one of the names is unknown.
    """
    known = _known_arguments(task_class)
    for name in names:
        if name in known or name.startswith(_OF_AIRFLOW_ITSELF):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        task = f" (task {task_id})" if isinstance(task_id, str) else ""
        meant = f": did you mean {near[0]}?" if near else "."
        raise TypeError(f"{task_class.__name__}{task} has no argument {name!r}{meant}")


@functools.cache
def _known_arguments(task_class: type) -> tuple[str, ...]:
    """Return the names of the arguments of a class and its bases, its own first."""
    names: dict[str, None] = {}
    for each in task_class.__mro__:
        if "__init__" in vars(each) and each is not object:
            parameters = inspect.signature(each.__init__).parameters.values()  # type: ignore[misc]
            names |= {one.name: None for one in parameters if one.kind is not one.VAR_KEYWORD}
    return tuple(name for name in names if name != "self")
