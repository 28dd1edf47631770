"""What the emulated service does by default, and what can be changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from airflow_sentinelhub.jobs import BatchApi

_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list[str]": (list,),
}
_AT_LEAST_ONE = frozenset({"page_size", "requests_per_minute"})

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
        still otherwise, a job moves on with each look at it, however fast the machine is.
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
        known = {each.name: str(each.type) for each in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"No setting {name!r}; there are {', '.join(sorted(known))}")
            _check(name, known[name], value)
        for name, value in changes.items():
            setattr(self, name, value)

    def public(self) -> dict[str, Any]:
        """All settings except the secret."""
        return {name: value for name, value in asdict(self).items() if name != "client_secret"}

    def cost_key(self, api: BatchApi) -> str | None:
        """What this API calls the cost of a job; V1 reports none."""
        return {
            BatchApi.PROCESS: self.process_cost_key,
            BatchApi.STATISTICAL: self.statistical_cost_key,
            BatchApi.PROCESS_V1: None,
        }[api]


def _check(name: str, kind: str, value: object) -> None:
    if value is None and kind.endswith(" | None"):
        return
    accepted = _KINDS[kind.removesuffix(" | None")]
    if not isinstance(value, accepted) or (isinstance(value, bool) and accepted != (bool,)):
        raise ValueError(f"Setting {name!r} must be of type {kind}, but was {value!r}")
    least = 1 if name in _AT_LEAST_ONE else 0
    if isinstance(value, int | float) and value < least:
        raise ValueError(f"Setting {name!r} must be at least {least}, but was {value!r}")
