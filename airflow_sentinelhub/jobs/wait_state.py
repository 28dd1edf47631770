"""State of a wait for one job between two polls."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_sentinelhub.jobs.json_record import JsonRecord


@dataclass(frozen=True, slots=True)
class WaitState(JsonRecord):
    """
    Plain values, kept by the caller. All times are seconds since 1970, as given by the caller.

    :param first_answer_at: when the service first answered about the job; ``None``: it never did.
    :param credentials_verified: whether the credentials are known to have worked, where that is not
        remembered otherwise.
    :param state_since_fallback: where nothing was remembered: since when what is seen first is taken to last.
    :param seen: whether the job was ever seen.
    :param state: status, percentage, cost and time stamp when last seen, as one text.
    :param state_since: since when nothing of that has changed.
    :param idle_action: the user action (with its time stamp) under which the job rests; empty: it does not.
    :param idle_since: since when.
    :param pending_outcome: an outcome that was read once and has to be confirmed; empty: none.
    :param pending_since: when it was last read in a reading that counted.
    :param pending_readings: how many readings counted; 0: not counted, as by an older version.
    :param created: when the job was created, where the service said so.
    :param last_warning: the oddity that was warned of last.
    :param warned_at: when.
    :param outage_failures: how many polls in a row failed.
    :param outage_last: when the latest one failed.
    :param outage_seconds: for how long, without the time in which no request was sent.
    """

    first_answer_at: float | None = None
    credentials_verified: bool = False
    state_since_fallback: float | None = None
    seen: bool = False
    state: str = ""
    state_since: float = 0.0
    idle_action: str = ""
    idle_since: float = 0.0
    pending_outcome: str = ""
    pending_since: float = 0.0
    pending_readings: int = 0
    created: float | None = None
    last_warning: str = ""
    warned_at: float = 0.0
    outage_failures: int = 0
    outage_last: float = 0.0
    outage_seconds: float = 0.0
