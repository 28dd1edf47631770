"""Failure threshold of a job that is over: how many of its tiles or features may be missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub.exceptions import BatchIncomplete
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.feature_counts import NO_DATA, errors_of, shortened
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.message import about
from airflow_sentinelhub.jobs.plain_text import one_line
from airflow_sentinelhub.jobs.statuses import FeatureStatus, StatisticsStatus, TileStatus

_GOOD = {
    BatchApi.PROCESS: FeatureStatus.DONE,
    BatchApi.STATISTICAL: StatisticsStatus.DONE,
    BatchApi.PROCESS_V1: TileStatus.PROCESSED,
}
_REASONS_SHOWN = 10
_NAMES_SHOWN = 5
_LONGEST_NAME = 100
# Texts may name the feature: as many different ones as there are features would fill the memory.
_MOST_REASONS = 1000
_OTHERS = "(other errors)"


@dataclass(frozen=True, slots=True)
class FailureThreshold:
    """
    Number or part of tiles or features that may fail.

    :param number: that many; ``None``: a share is allowed.
    :param share: of all of them, from 0 to 1.
    """

    number: int | None = None
    share: float = 0.0

    @classmethod
    def of(cls, max_failed_tiles: float) -> FailureThreshold:
        """
        Read ``max_failed_tiles``.

        :param max_failed_tiles: a whole number, or a ratio below 1.
        :raises ValueError: it is neither.
        """
        if isinstance(max_failed_tiles, int) and not isinstance(max_failed_tiles, bool) and max_failed_tiles >= 0:
            return cls(number=max_failed_tiles)
        if isinstance(max_failed_tiles, float) and 0 <= max_failed_tiles < 1:
            return cls(share=max_failed_tiles)
        raise ValueError(
            "max_failed_tiles must be a whole number (0 allows none), a ratio of at least 0.0 and below 1.0 (0.01 "
            f"allows one in a hundred), or None; it is {max_failed_tiles!r}"
        )

    def of_all(self, total: int) -> int:
        """Return how many of ``total`` may fail."""
        # A ratio is written in decimals: 0.29 of 100 are 29, and not 28.999999999999996.
        return self.number if self.number is not None else int(self.share * total + 1e-9)


class FailureCheck:
    """
    Takes in tiles or features one by one, and counts what did not come out.

    Everything counts that has not the status of success, also what is still PENDING when the job is over, and a
    feature of which some intervals failed.

    :param job: whose they are, at its end.
    :param allowance: how many may fail.
    :param count_no_data: whether a feature counts as failed for which there was nothing to process.
    """

    def __init__(self, job: BatchJob, allowance: FailureThreshold, *, count_no_data: bool = False) -> None:
        self._job = job
        self._allowance = allowance
        self._count_no_data = count_no_data
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._names: dict[tuple[str, str], list[str]] = {}
        self.total = 0

    def add(self, status: str, tile: Mapping[str, Any]) -> None:
        """
        Take in a tile.

        :param status: its status.
        :param tile: the tile.
        """
        self.total += 1
        error = next(errors_of(tile), "")
        if status == _GOOD[self._job.api] and not (self._count_no_data and error == NO_DATA):
            return
        reason = (status, error)
        if reason not in self._reasons and len(self._reasons) >= _MOST_REASONS:
            reason = (status, _OTHERS)
        self._reasons[reason] += 1
        names = self._names.setdefault(reason, [])
        if len(names) < _NAMES_SHOWN:
            name = str(tile.get("name") or tile.get("identifier") or tile.get("id"))
            names.append(one_line(name, _LONGEST_NAME))

    @property
    def what(self) -> str:
        """The name of tiles or features in this API."""
        return "tiles" if self._job.api is BatchApi.PROCESS_V1 else "features"

    @property
    def failed(self) -> int:
        """The number of those that failed."""
        return self._reasons.total()

    @property
    def allowed(self) -> int:
        """The number of those that may fail."""
        return self._allowance.of_all(self.total)

    def check(self) -> None:
        """
        Make sure that enough came out.

        :raises BatchIncomplete: too many failed, or there is nothing at all.
        """
        if self.total and self.failed <= self.allowed:
            return
        raise BatchIncomplete(
            self._message(),
            job_id=self._job.id,
            api=self._job.api.value,
            status=self._job.raw_status or None,
            failed=self.failed,
            total=self.total,
        )

    def _message(self) -> str:
        what = self.what
        then = (
            "Raise max_failed_tiles and clear this task, which (from Airflow 3.3 on) only counts again,",
            "or run what is missing with a request of its own.",
        )
        if not self.total:
            return about(f"INCOMPLETE: {self._job.raw_status} without any {what}", self._job.name, *then)
        missing = f"{self.failed:,} of {self.total:,} {what} missing, {self.allowed:,} may be"
        lines = (f"  {line}" for line in self._lines())
        return about(f"INCOMPLETE: {missing}", self._job.name, *then, "The commonest reasons:", *lines)

    def _lines(self) -> list[str]:
        ranked = self._reasons.most_common()
        lines = []
        for reason, count in ranked[:_REASONS_SHOWN]:
            status, error = reason
            named = ", ".join(self._names[reason]) + (", ..." if count > len(self._names[reason]) else "")
            lines.append(f"{count:,} {status}: {shortened(error) if error else 'no reason given'} ({named})")
        if rest := ranked[_REASONS_SHOWN:]:
            lines.append(f"{sum(count for _, count in rest):,} more, with {len(rest):,} other errors")
        return lines
