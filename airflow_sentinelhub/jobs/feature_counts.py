"""Counts of tiles or features by status, and the errors of those that failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.job import LONGEST_WORD
from airflow_sentinelhub.jobs.plain_text import cut, one_line
from airflow_sentinelhub.jobs.redaction import REDACT
from airflow_sentinelhub.jobs.statuses import FeatureStatus, StatisticsStatus, TileStatus
from airflow_sentinelhub.jobs.untrusted_json import RECORD, clean

NO_DATA = "No data"
"""Error of a feature that is DONE, as there was nothing to process."""

_KNOWN = {
    BatchApi.PROCESS: tuple(FeatureStatus),
    BatchApi.STATISTICAL: tuple(StatisticsStatus),
    BatchApi.PROCESS_V1: tuple(TileStatus),
}
# Texts may name the feature: as many different ones as there are features would fill the memory.
_MOST_ERRORS = 1000
_OTHERS = "(other errors)"
_MOST_STATUSES = 30
_OTHER_STATUSES = "UNKNOWN"
_LONGEST_ERROR = 300


def known_statuses(api: BatchApi) -> tuple[str, ...]:
    """Name all statuses that a tile or feature of this API may have, as far as this version knows."""
    return tuple(status.value for status in _KNOWN[api])


class FeatureCounts:
    """
    Takes in tiles one by one, and keeps them by status.

    :param api: whose tiles they are; says which statuses are always there.
    :param statuses: only tiles in these statuses; empty: all.
    :param limit: keep at most so many of each status; all are counted. ``None``: keep all.
    :param keep: whether to keep tiles at all.
    """

    def __init__(
        self, api: BatchApi, *, statuses: Collection[str] = (), limit: int | None = None, keep: bool = True
    ) -> None:
        self._statuses = frozenset(statuses)
        self._limit = limit
        self._keep = keep
        self._left_out = False
        self._errors: Counter[tuple[str, str]] = Counter()
        self._counts = {status: 0 for status in known_statuses(api) if self._wants(status)}
        self.kept_size = 0
        """About how many characters the kept tiles have, as JSON."""
        self.tiles: dict[str, list[dict[str, Any]]] = {status: [] for status in known_statuses(api)}

    def add(self, status: str, tile: dict[str, Any]) -> bool:
        """
        Take in a tile.

        :param status: its status; one that this version does not know becomes a key of its own.
        :param tile: the tile, plain JSON.
        :return: whether its status is wanted.
        """
        if not self._wants(status):
            return False
        if status not in self._counts and len(self._counts) >= _MOST_STATUSES:
            status = _OTHER_STATUSES
        self._counts[status] = self._counts.get(status, 0) + 1
        for error in errors_of(tile):
            known = (status, error) in self._errors or len(self._errors) < _MOST_ERRORS
            self._errors[status, error if known else _OTHERS] += 1
        if self._keep:
            kept = self.tiles.setdefault(status, [])
            if self._limit is None or len(kept) < self._limit:
                kept.append(tile)
                self.kept_size += len(str(tile))
            else:
                self._left_out = True
        return True

    @property
    def total(self) -> int:
        """The number of tiles in the wanted statuses."""
        return sum(self._counts.values())

    @property
    def kept(self) -> int:
        """The number of tiles that are kept."""
        return sum(map(len, self.tiles.values()))

    def counts(self) -> dict[str, Any]:
        """
        Count the tiles of each status, those beyond the limit included.

        Statuses that were not asked for are no keys: nothing is known of them. With a limit, ``truncated`` says
        whether it left anything out.
        """
        return self._counts | ({} if self._limit is None else {"truncated": self._left_out})

    def as_text(self) -> str:
        """Sum up for a log: the statuses that occur."""
        return ", ".join(f"{count:,} {status}" for status, count in self._counts.items() if count) or "none"

    def errors(self, most: int) -> list[str]:
        """
        Return the commonest errors, each with its status and how often it occurs.

        :param most: how many lines at most; the last one counts the rest.
        """
        ranked = self._errors.most_common()
        lines = [f"{count:,} {status}: {shortened(error)}" for (status, error), count in ranked[:most]]
        if rest := ranked[most:]:
            lines.append(f"{sum(count for _, count in rest):,} more, with {len(rest):,} other errors")
        return lines

    def _wants(self, status: str) -> bool:
        return not self._statuses or status in self._statuses


def errors_of(tile: Mapping[str, Any]) -> Iterator[str]:
    """Return the different errors of a tile; a feature of Batch Statistical may have one for each interval."""
    intervals = tile.get("failed_intervals")
    errors = [tile.get("error")]
    if isinstance(intervals, list):
        errors += [each.get("error") for each in intervals if isinstance(each, Mapping)]
    return iter(dict.fromkeys(cut(str(error), RECORD.text) for error in errors if error))


def shortened(text: str) -> str:
    """Return a text as one line that is not too long for a log."""
    return REDACT.line(text, _LONGEST_ERROR)


_GEOMETRY_FIELDS = frozenset({"geometry", "origin"})


def tiles_by_status(
    tiles: Iterable[Mapping[str, Any]], *, include_geometry: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """
    Group tiles by status.

    All six statuses are keys, whether or not a tile has them: the dictionary travels as JSON, where a missing
    key is a ``KeyError`` in the task that reads it. A status that this version does not know gets a key of
    its own.

    :param tiles: tile payloads as the service sends them.
    :param include_geometry: keep ``geometry`` and ``origin``, which are most of a tile's size.
    """
    grouped: dict[str, list[dict[str, Any]]] = {status.value: [] for status in TileStatus}
    for tile in tiles:
        word, kept = read_tile(tile, include_geometry=include_geometry)
        grouped.setdefault(word, []).append(kept)
    return grouped


def read_tile(tile: Mapping[str, Any], *, include_geometry: bool = False) -> tuple[str, dict[str, Any]]:
    """
    Return a tile's status, and the tile as it goes to XCom: cleaned and bounded.

    :param tile: its payload.
    :param include_geometry: keep ``geometry`` and ``origin``.
    """
    kept = clean({key: value for key, value in tile.items() if include_geometry or key not in _GEOMETRY_FIELDS})
    return status_word(kept.get("status")), kept


def status_word(value: object) -> str:
    """Spell a status as a key of the dictionary, whatever stands in its place: one short line."""
    word = "" if value is None else one_line(str(clean(value)).upper(), LONGEST_WORD)
    return word or "UNKNOWN"
