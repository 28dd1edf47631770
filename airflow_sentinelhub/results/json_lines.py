"""Tiles as JSON Lines in object storage, for when there are too many for XCom."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.results.storage import Storage


class JsonLines:
    """
    A file with one tile on each line.

    :param file: where they are written to.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, status: str, tile: dict[str, Any]) -> None:
        """Add a tile; its status becomes one of its fields."""
        self._file.write(json.dumps({"status": status, **tile}, ensure_ascii=False) + "\n")


@contextmanager
def json_lines(storage: Storage, url: str) -> Iterator[JsonLines]:
    """
    Write a file of tiles, which appears at its place only when it is whole.

    :param storage: what knows how to write there.
    :param url: where; a file that is there already is replaced.
    :raises ResultsUnavailable: it cannot be written there.
    """
    with tempfile.TemporaryDirectory(prefix="sentinelhub-") as folder:
        local = Path(folder) / "tiles.jsonl"
        with local.open("w", encoding="utf-8") as file:
            yield JsonLines(file)
        try:
            storage.upload(local, url)
        except FileNotFoundError:
            raise ResultsUnavailable(
                f"The tiles cannot be written to {url} (output_path): there is no such bucket or folder. Nothing "
                "was written; create it, or name another one."
            ) from None
