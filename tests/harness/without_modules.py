"""Makes modules, and the providers that they belong to, impossible to import: as if they were not installed."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence

import importlib_metadata


class _Blocked:
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, name, path=None, target=None):
        if any(name == each or name.startswith(f"{each}.") for each in self._names):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def block(*names: str) -> None:
    """To be called before Airflow is imported: it finds its providers by what is installed."""
    sys.meta_path.insert(0, _Blocked(names))
    distributions = {name.replace("airflow.", "apache-airflow-").replace(".", "-") for name in names}
    for library in (importlib.metadata, importlib_metadata):
        library.distributions = _without(distributions, library.distributions)


def _without(unwanted, find):
    def distributions(**kwargs):
        return (each for each in find(**kwargs) if each.metadata["Name"] not in unwanted)

    return distributions
