"""Object store for the files of jobs: a folder, or a function of a test."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.result_files import delivery_url, files
from airflow_sentinelhub.jobs import BatchApi

Writer = Callable[[str, bytes], None]
_logger = logging.getLogger(__name__)


class Folder:
    """
    Writes ``s3://bucket/key`` to ``<folder>/bucket/key``, and ``file://`` where it says, if that is in the folder.

    :param folder: made if it does not exist. Nothing outside of it is ever written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder).resolve()

    def place(self, url: str) -> Path:
        """
        Return where a file of this URL is written to.

        :raises ValueError: that is outside of the folder.
        """
        parts = urlsplit(url)
        path = unquote(parts.path)
        place = Path(path) if parts.scheme == "file" else self._folder / parts.netloc / path.lstrip("/")
        if not place.resolve().is_relative_to(self._folder):
            raise ValueError(f"{url} is outside of {self._folder}, where results are written")
        return place.resolve()

    def __call__(self, url: str, content: bytes) -> None:
        """Write a file, whole at once."""
        place = self.place(url)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(place.name + ".part")
        part.write_bytes(content)
        part.replace(place)


class ObjectStore:
    """
    Object store that writes the files of a job when the job is read.

    :param write: what takes a URL and a content; ``None``: nothing is delivered.
    """

    def __init__(self, write: Writer | None = None) -> None:
        self._write = write
        self._written: dict[str, bytes] = {}

    @property
    def schemes(self) -> tuple[str, ...]:
        """The URL schemes of deliveries, besides those of the real service."""
        return () if self._write is None else ("file",)

    def check(self, api: BatchApi, request: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` if the results of such a request could not be written."""
        url = delivery_url(api, request)
        if url is not None and isinstance(self._write, Folder):
            self._write.place(url)

    def deliver(self, job: EmulatedJob, now: datetime) -> None:
        """Write what is new, or has changed. What cannot be written is logged, and tried again later."""
        if self._write is None:
            return
        try:
            for url, content in files(job, now):
                digest = hashlib.sha256(content).digest()
                if self._written.get(url) != digest:
                    self._write(url, content)
                    self._written[url] = digest
        except Exception:  # what the job says is one thing, whether its files can be written another
            _logger.exception("The results of job %s could not be written", job.id)
