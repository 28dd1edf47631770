"""Settings of the emulated service, which can be changed while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_sentinelhub.emulator import limits
from airflow_sentinelhub.emulator.list_pages import SORTS
from airflow_sentinelhub.jobs import BatchApi, UrlLayout

CLIENT_ID = "emulator-client"
CLIENT_SECRET = "emulator-secret"  # noqa: S105 - public, documented: the emulator guards nothing


@dataclass(slots=True, kw_only=True)
class Settings:
    """
    The emulator's switches.

    :param client_id: the one OAuth client.
    :param client_secret: its secret; changing it does not revoke the tokens that were issued.
    :param main_token_seconds: lifetime of a token of the main realm, in *real* seconds.
    :param cdse_token_seconds: the same for the CDSE realm.
    :param invalid_client_status: HTTP status for wrong credentials; the service was seen with 401 and 400.
    :param page_size: most jobs or tiles on a page. A larger ``count`` is cut down to it.
    :param default_sort: order of a list that was asked for without ``sort`` (the real one is not documented).
    :param links_layout: layout of ``links.next``: "new" (as the service), or "legacy".
    :param process_cost_key: name of the cost in Batch Process.
    :param statistical_cost_key: the same in Batch Statistical; the live service was seen with ``costPU``.
    :param hidden_fields: payload fields that are never sent, e.g. ``["domainAccountId"]``.
    :param not_found_seconds: for so many service seconds after its creation a job is answered with 404.
    :param restart_seconds: service seconds after a stop in which a start is refused.
    :param out_of_pu_restart_seconds: the same when the job had stopped for want of processing units.
    :param retention: whether idle statistical jobs vanish after 7, 15 or 30 days of service time.
    :param list_lag_seconds: lists show jobs as they were so many service seconds ago, also those that are gone.
    :param foreign_jobs_per_page: so many jobs of other people appear after each page of a list.
    :param processing_units: what is left on the account; jobs use it up. Below 1,000 nothing is created, analysed
        or started, and running jobs are stopped. ``None`` for more than enough.
    :param insufficient_units_status: HTTP status of that refusal; which one the service sends is not documented.
    :param requests_per_minute: more than that are answered with 429, whichever API they are for; tokens do not
        count. On *real* time. ``None`` for no limit.
    :param answer_seconds: how long every answer takes, in *real* seconds.
    :param seconds_per_answer: so many service seconds pass with every answer about jobs. With a clock that stands
        still otherwise, a job moves on with each poll of it, however fast the machine is.
    """

    client_id: str = CLIENT_ID
    client_secret: str = field(default=CLIENT_SECRET, repr=False)
    main_token_seconds: int = 3599
    cdse_token_seconds: int = 600
    invalid_client_status: int = 401
    page_size: int = 100
    default_sort: str = "created"
    links_layout: str = "new"
    process_cost_key: str = "costPU"
    statistical_cost_key: str = "costPu"
    hidden_fields: list[str] = field(default_factory=list)
    not_found_seconds: float = 0.0
    restart_seconds: float = 1800.0
    out_of_pu_restart_seconds: float = 3600.0
    retention: bool = True
    list_lag_seconds: float = 0.0
    foreign_jobs_per_page: int = 0
    processing_units: float | None = None
    insufficient_units_status: int = 403
    requests_per_minute: int | None = None
    answer_seconds: float = 0.0
    seconds_per_answer: float = 0.0

    def update(self, changes: Mapping[str, Any]) -> None:
        """
        Change some settings, or none if one of them is wrong.

        :raises ValueError: for a name that does not exist or a value of the wrong kind.
        """
        checked = {}
        for name, value in changes.items():
            if name not in _CHECKS:
                raise ValueError(f"No setting {limits.brief(name)}; there are {', '.join(sorted(_CHECKS))}")
            is_null = value is None and name in _MAY_BE_NULL
            checked[name] = None if is_null else _CHECKS[name](f"Setting {name!r}", value)
        for name, value in checked.items():
            setattr(self, name, value)

    def public(self) -> dict[str, Any]:
        """Return all settings except the secret."""
        return {name: value for name, value in asdict(self).items() if name != "client_secret"}

    def cost_key(self, api: BatchApi) -> str | None:
        """Return what this API calls the cost of a job; V1 reports none."""
        return {
            BatchApi.PROCESS: self.process_cost_key,
            BatchApi.STATISTICAL: self.statistical_cost_key,
            BatchApi.PROCESS_V1: None,
        }[api]


def _one_of(words: Iterable[str]) -> Callable[[str, object], object]:
    known = tuple(words)

    def check(name: str, value: object) -> object:
        if value not in known:
            raise ValueError(f"{name} is one of {', '.join(known)}, but was {limits.brief(value)}")
        return value

    return check


def _whole(least: int, most: int) -> Callable[[str, object], object]:
    return lambda name, value: limits.whole(name, value, least, most)


def _real_seconds(name: str, value: object) -> object:
    return limits.number(name, value, 0, limits.REAL_SECONDS)


def _refusal(name: str, value: object) -> object:
    return limits.status(name, value, 400)


def _texts(name: str, value: object) -> object:
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list of texts, but was {limits.brief(value)}")
    return [limits.text(f"Each of {name}", each) for each in value]


_YEAR = 366 * 86_400
_CHECKS: Mapping[str, Callable[[str, object], object]] = {
    "client_id": limits.text,
    "client_secret": limits.text,
    "main_token_seconds": _whole(0, _YEAR),
    "cdse_token_seconds": _whole(0, _YEAR),
    "invalid_client_status": _refusal,
    "page_size": _whole(1, limits.MOST),
    "default_sort": _one_of(SORTS),
    "links_layout": _one_of(UrlLayout),
    "process_cost_key": limits.text,
    "statistical_cost_key": limits.text,
    "hidden_fields": _texts,
    "not_found_seconds": limits.seconds,
    "restart_seconds": limits.seconds,
    "out_of_pu_restart_seconds": limits.seconds,
    "retention": limits.flag,
    "list_lag_seconds": limits.seconds,
    "foreign_jobs_per_page": _whole(0, 10_000),
    "processing_units": limits.number,
    "insufficient_units_status": _refusal,
    "requests_per_minute": _whole(1, 10**9),
    "answer_seconds": _real_seconds,
    "seconds_per_answer": limits.seconds,
}
_MAY_BE_NULL = frozenset({"processing_units", "requests_per_minute"})
