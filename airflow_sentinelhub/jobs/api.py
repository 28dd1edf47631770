"""The three batch APIs: where they live and what each of them can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn


class UrlLayout(StrEnum):
    """
    The two ways in which the service spells its paths; both answer.

    ``LEGACY`` (``/api/<version>/<service>``) is what every release of sentinelhub-py uses, ``NEW``
    (``/<service>/<version>``) what the API reference documents since March 2026. Links in an answer use
    the new layout whichever was asked.
    """

    LEGACY = "legacy"
    NEW = "new"


class BatchApi(StrEnum):
    """
    A batch API of Sentinel Hub.

    ``PROCESS`` is Batch Processing V2, ``STATISTICAL`` is Batch Statistical, and ``PROCESS_V1`` the first
    Batch Processing API, which the official service no longer documents.
    """

    PROCESS = "process"
    STATISTICAL = "statistical"
    PROCESS_V1 = "process_v1"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        known = ", ".join(repr(each.value) for each in cls)
        raise ValueError(f"api must be one of {known}; it is {value!r}")

    @property
    def spec(self) -> ApiSpec:
        """The specification of this API, as data."""
        return _FACTS[self]

    @property
    def display_name(self) -> str:
        """The API's name as people say it, for messages."""
        return self.spec.display_name

    def path(self, layout: UrlLayout = UrlLayout.LEGACY) -> str:
        """
        Path of the collection of jobs, without a trailing slash.

        :param layout: how the service spells its paths. V1 exists in the legacy layout only and ignores it.
        """
        if layout is UrlLayout.NEW and self.spec.new_path is not None:
            return self.spec.new_path
        return self.spec.legacy_path


@dataclass(frozen=True, slots=True)
class ApiSpec:
    """
    Specification of a batch API: how it differs from the others.

    :param display_name: name for messages.
    :param legacy_path: collection of jobs in the legacy layout.
    :param new_path: the same in the new layout; ``None`` where it was not carried over.
    :param stop_action: last path segment of the request that stops a job.
    :param light_status: whether ``GET <job>/status`` gives the state without the request. It lacks
        ``userAction``.
    :param has_tiles: whether the API lists a job's tiles.
    :param retention: after how long the service deletes jobs, in words; ``None`` where that is not documented.
    """

    display_name: str
    legacy_path: str
    new_path: str | None
    stop_action: str
    light_status: bool
    has_tiles: bool
    retention: str | None


_FACTS = {
    BatchApi.PROCESS: ApiSpec(
        display_name="Batch Process",
        legacy_path="/api/v2/batch/process",
        new_path="/batch/v2/process",
        stop_action="stop",
        light_status=False,
        has_tiles=False,
        retention=None,
    ),
    BatchApi.STATISTICAL: ApiSpec(
        display_name="Batch Statistical",
        legacy_path="/api/v1/statistics/batch",
        new_path="/statistics/batch/v1",
        stop_action="stop",
        light_status=True,
        has_tiles=False,
        retention="7 days when created and never used, 15 days when failed, 30 days otherwise",
    ),
    BatchApi.PROCESS_V1: ApiSpec(
        display_name="Batch Process v1",
        legacy_path="/api/v1/batch/process",
        new_path=None,
        stop_action="cancel",
        light_status=False,
        has_tiles=True,
        retention=None,
    ),
}
