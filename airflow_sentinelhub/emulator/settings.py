"""What the emulated service does by default, and what can be changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from airflow_sentinelhub.jobs import BatchApi

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

    def update(self, changes: Mapping[str, Any]) -> None:
        """
        Change some settings, or none if one of them is wrong.

        :raises ValueError: for a name that does not exist or a value of the wrong kind.
        """
        known = {each.name for each in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"No setting {name!r}; there are {', '.join(sorted(known))}")
            expected = type(getattr(self, name))
            accepted = (int, float) if expected is float else expected
            if not isinstance(value, accepted) or (isinstance(value, bool) and expected is not bool):
                raise ValueError(f"Setting {name!r} must be of type {expected.__name__}, but was {value!r}")
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
