"""Writes ``docs/outcomes.md``, what functions and sensors did, from the results of the tests."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from airflow_sentinelhub.jobs import BatchApi, WaitGoal, wait_rules
from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.tasks.base_sensor import SentinelHubBaseSensor
from tests.real_client.endings import SENSORS, Ending
from tests.real_client.library import MONITORS, VERSION
from tests.real_client.situations import HANGS, RETURNS, SUCCESS, Situation
from tests.real_client.situations_of_analyses import ANALYSES
from tests.real_client.situations_of_jobs import JOBS
from tests.real_client.situations_of_outages import WEATHER

PAGE = Path(__file__).parent.parent.parent / "docs" / "outcomes.md"
REGENERATE = 'make test ARGS="tests/real_client --update-outcomes"'

Run = Callable[[BatchApi, WaitGoal, Situation], Ending]

_INTRODUCTION = """\
# `monitor_*` and our sensors, side by side

What becomes of a wait when something happens to its job: with the functions of `sentinelhub-py`, and with the
sensors that replace them ([which replaces which](sensors.md#from-monitor_-to-a-sensor)).

Nobody wrote the cells below. `tests/real_client` runs the real `sentinelhub-py` {version}, the last release with
all six functions, and our sensors against the [emulator](emulator.md), tells both the same story and notes how
they end: `{regenerate}`

**Bold** is what surprises a caller: a function that *hangs* (none has a timeout: each asks on and on), that
*returns* although the job did not end well or has not ended yet, or that *raises* about a job that ends well. A
dash is what cannot happen in that API.

If you migrate:

* What followed a function and looked at the status of the job can go. A job sensor succeeds only if the job is
  DONE (or PARTIAL with `allow_partial=True`); everything else is a failed task with an exception that says what to
  do.
* What ended a function from outside can go: every wait below ends by itself. Where time may mend it, not at once:
  STOPPED and PARTIAL count when they are read again an interval later, and so does a 404 of a job that was seen. A
  job may be 404 for {not_found} after its creation, nobody needs to have started it for {start_grace}
  (`start_grace`), a status that nobody knows may stay for {unknown}, the service may be away for {outage}
  (`outage_tolerance`); only for this page these were made shorter. `timeout` ends the rest.
* What caught the exceptions of a bad connection can go: a wait bears with the service, up to those limits. Only a
  client id and secret that are refused, and a request that is (403, for example), end it sooner.
"""

_WEATHER = """\
## On the way to the service

The same for all functions, which share the code that asks the service; here `monitor_batch_process_job`, with a
job that ends DONE.
"""

_IMPOSSIBLE = "-"


def page(monitor: Run, sensor: Run) -> str:
    """
    The whole page.

    :param monitor: tells how a function ends.
    :param sensor: tells how a sensor ends.
    """
    arguments = inspect.signature(SentinelHubBaseSensor.__init__).parameters
    parts = [
        _INTRODUCTION.format(
            version=VERSION,
            regenerate=REGENERATE,
            not_found=format_duration(wait_rules.NOT_FOUND_GRACE),
            unknown=format_duration(wait_rules.UNKNOWN_STATUS_GRACE),
            start_grace=format_duration(arguments["start_grace"].default),
            outage=format_duration(arguments["outage_tolerance"].default),
        )
    ]
    for title, goal, situations in (
        ("Jobs", WaitGoal.COMPLETION, JOBS),
        ("Analyses", WaitGoal.ANALYSIS, ANALYSES),
    ):
        parts += [f"## {title}, at a glance\n", _glance(goal, situations, monitor, sensor)]
        for api in BatchApi:
            parts += [
                f"### {_function(api, goal)} → `{SENSORS[api, goal].__name__}`\n",
                _detail(api, goal, situations, monitor, sensor),
            ]
    parts += [_WEATHER, _detail(BatchApi.PROCESS, WaitGoal.COMPLETION, WEATHER, monitor, sensor)]
    return "\n".join(parts)


def _glance(goal: WaitGoal, situations: Sequence[Situation], monitor: Run, sensor: Run) -> str:
    def cells(situation: Situation) -> Iterable[str]:
        yield situation.title
        sensors = set()
        for api in BatchApi:
            if situation.expected(api):
                sensors.add(_sensor_in_short(sensor(api, goal, situation)))
                yield _monitor_in_short(api, situation, monitor(api, goal, situation))
            else:
                yield _IMPOSSIBLE
        yield " / ".join(sorted(sensors))

    heads = ["the job is", *(_function(api, goal) for api in BatchApi), "our sensors"]
    return _table(heads, map(cells, situations))


def _detail(api: BatchApi, goal: WaitGoal, situations: Sequence[Situation], monitor: Run, sensor: Run) -> str:
    rows = (
        (
            situation.title,
            _monitor_at_length(api, situation, monitor(api, goal, situation)),
            _sensor_at_length(sensor(api, goal, situation)),
        )
        for situation in situations
        if situation.expected(api)
    )
    return _table(["what happens" if situations is WEATHER else "the job is", "the function", "the sensor"], rows)


def _monitor_in_short(api: BatchApi, situation: Situation, ending: Ending) -> str:
    outcome, _, kind = ending.outcome.partition(" ")
    surprising = (
        outcome == HANGS
        or (outcome == RETURNS and (situation.sensors != SUCCESS or api in situation.early))
        or (outcome == "raises" and situation.sensors == SUCCESS)
    )
    outcome = f"**{outcome}**" if surprising else outcome
    return f"{outcome} `{kind}`" if kind else outcome


def _monitor_at_length(api: BatchApi, situation: Situation, ending: Ending) -> str:
    short = _monitor_in_short(api, situation, ending)
    return f"{short}: {ending.says}" if ending.says else short


def _sensor_in_short(ending: Ending) -> str:
    return "succeed" if ending.outcome == SUCCESS else f"fail: `{ending.outcome}`"


def _sensor_at_length(ending: Ending) -> str:
    kind = "" if ending.outcome == SUCCESS else f" `{ending.outcome}`"
    return f"{ending.state}{kind}: {ending.says}"


def _function(api: BatchApi, goal: WaitGoal) -> str:
    return f"`{MONITORS[api, goal].__name__}`"


def _table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
