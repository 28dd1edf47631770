"""
Everything that this provider stores in Airflow's database, or in the description of a job, one example each.

``python -m tests.stored.stored_formats`` writes the examples into this folder. From the first release on, names
may only be added: a newer version reads what an older one wrote, and after a downgrade the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_sentinelhub.jobs import (
    ActionState,
    BatchApi,
    BatchJob,
    Deadlines,
    GroupVerdict,
    Outcome,
    Verdict,
    WaitGoal,
    WaitPolicy,
    WaitState,
)
from airflow_sentinelhub.jobs.completion import completion_of
from airflow_sentinelhub.jobs.completion_cursor import CompletionCursor, JobReading
from airflow_sentinelhub.jobs.cost_record import CostRecord
from airflow_sentinelhub.jobs.creation_record import CreationRecord
from airflow_sentinelhub.jobs.creation_tag import CreationTag, tag_of
from airflow_sentinelhub.jobs.listed_job import ListedJob
from airflow_sentinelhub.jobs.run_record import RunRecord
from airflow_sentinelhub.jobs.run_state import RunPhase, RunState
from airflow_sentinelhub.operators.action import ActionCheckpoint
from airflow_sentinelhub.tasks.wait_record import WaitRecord
from airflow_sentinelhub.triggers.batch import SentinelHubBatchTrigger
from airflow_sentinelhub.triggers.event import SentinelHubBatchEventTrigger
from airflow_sentinelhub.triggers.group import SentinelHubBatchGroupTrigger
from airflow_sentinelhub.triggers.pause import SentinelHubPauseTrigger
from airflow_sentinelhub.triggers.run import SentinelHubBatchRunPauseTrigger, SentinelHubBatchRunTrigger
from airflow_sentinelhub.triggers.wait import wait_kwargs
from airflow_sentinelhub.waits.wait import Wait, WaitSpec

FOLDER = Path(__file__).parent

JOB_ID = "57902398-0000-4000-8000-000000000000"
OTHER_ID = "6aa8765a-0000-4000-8000-000000000000"
NOW = 1_795_000_000.0

POLICY = WaitPolicy(
    poke_interval=120.0,
    analysis_poke_interval=10.0,
    slowest_poke_interval=360.0,
    allow_partial=True,
    start_grace=3600.0,
    stall_timeout=7200.0,
    outage_tolerance=21_600.0,
    max_cost_pu=500.0,
)
DEADLINES = Deadlines(NOW, NOW + 604_800, NOW + 86_400, stops_job=True)


def job(status: str = "PROCESSING", **fields: Any) -> BatchJob:
    """Return a job of Batch Process."""
    payload = {
        "id": JOB_ID,
        "status": status,
        "created": "2026-11-18T14:26:40Z",
        "userAction": "START",
        "userActionUpdatedAt": "2026-11-18T14:27:00Z",
        "completionPercentage": 40,
        "costPU": 100.5,
        **fields,
    }
    return BatchJob.from_payload(BatchApi.PROCESS, payload)


@dataclass(frozen=True)
class Format:
    """
    One thing that is stored.

    :param stored: an example.
    :param again: reads it and gives what would be stored then.
    """

    stored: Any
    again: Callable[[Any], Any]


def trigger(example: Any) -> Format:
    """Describe the arguments of a trigger."""
    classpath, kwargs = example.serialize()
    return Format({"classpath": classpath, "kwargs": kwargs}, lambda stored: again_of(type(example), stored))


def again_of(trigger_class: type, stored: Any) -> Any:
    """Make a trigger from what is stored, and store it again."""
    classpath, kwargs = trigger_class(**stored["kwargs"]).serialize()
    return {"classpath": classpath, "kwargs": kwargs}


def wait() -> Wait:
    """Return a wait that has seen its job once, PARTIAL, which has to be confirmed."""
    spec = WaitSpec(BatchApi.PROCESS, JOB_ID, WaitGoal.COMPLETION, POLICY, DEADLINES)
    made = Wait(spec, lambda level, text: None)
    made.update(job("PROCESSING"), NOW)
    made.update(job("STOPPED", completionPercentage=50), NOW + 120)
    return made


def kept_wait(stored: Any) -> Any:
    """Go on with a wait, and store it again."""
    record = WaitRecord.from_json(stored)
    assert record is not None
    again = Wait(wait().terms, lambda *_: None, stored=record.wait)
    return replace(record, wait=again.to_json()).to_json()


def cursor() -> CompletionCursor:
    """Return a cursor with a job that may end, one that has ended, and one whose event is under way."""
    readings = []
    for number, status in enumerate(("PROCESSING", "STOPPED", "DONE", "DONE")):
        payload = {"id": f"{number}{JOB_ID[1:]}", "status": status, "created": "2026-11-18T14:26:40Z"}
        payload |= {"userAction": "NONE", "stopReason": "USER_ACTION"} if status == "STOPPED" else {}
        listed = ListedJob.from_payload(BatchApi.PROCESS, payload)
        _, seen = completion_of(listed.job, POLICY, NOW, WaitState())
        completion, _ = completion_of(listed.job, POLICY, NOW + POLICY.poke_interval, seen)
        readings.append(JobReading(listed, completion))
    found, completions = CompletionCursor(writer="a-triggerer").review(readings, NOW, told_from=0.0)
    return found.emitted(completions[1:]).mark_in_flight(completions[:1])


def formats() -> dict[str, Format]:
    """Return all that is stored, by name."""
    kwargs = {"api": "process", "sentinelhub_conn_id": "sentinelhub_default", **wait_kwargs(POLICY, DEADLINES)}
    one = {**kwargs, "goal": "completion", "request_id": JOB_ID}
    ids = [JOB_ID, OTHER_ID]
    verdict = Verdict(Outcome.FAILED, BatchApi.PROCESS, JOB_ID, "It FAILED.", job("FAILED"), service_message="no")
    members = {JOB_ID: verdict, OTHER_ID: None}
    group = GroupVerdict(Outcome.FAILED, BatchApi.PROCESS, "1 of 2 failed.", members, cause=verdict)
    creation = CreationRecord(JOB_ID, False, "1a2b3c4d", NOW, NOW + 1, 2, (OTHER_ID,))
    run = RunRecord(JOB_ID, 2, True, {"timeout": 1}, 1)
    costs = CostRecord(2, {OTHER_ID: 125.0, JOB_ID: 250.5})
    state = RunState(JOB_ID, DEADLINES, run, RunPhase.STOPPING, ActionState(seen=True), verdict, NOW + 5)
    checkpoint = ActionCheckpoint(
        JOB_ID, NOW + 60, ActionState(waited_for="x", locked_until=NOW, refused_since=NOW)
    )
    tag = CreationTag("country", "scheduled__2026-11-18", "run", 3, "1a2b3c4d", "0123456789abcdef")
    record = WaitRecord(1, JOB_ID, DEADLINES, wait().to_json())
    return {
        "trigger_batch": trigger(SentinelHubBatchTrigger(**one, first_poll_after=5.0, fire_not_before=NOW + 10)),
        "trigger_group": trigger(SentinelHubBatchGroupTrigger(**kwargs, request_ids=ids, until=2, fail_fast=True)),
        "trigger_run": trigger(SentinelHubBatchRunTrigger(**one, kill_action="stop_unless_removed")),
        "trigger_run_pause": trigger(
            SentinelHubBatchRunPauseTrigger(
                until=NOW, api="process", request_id=JOB_ID, sentinelhub_conn_id="sh", kill_action="leave"
            )
        ),
        "trigger_pause": trigger(SentinelHubPauseTrigger(until=NOW)),
        "trigger_event": trigger(
            SentinelHubBatchEventTrigger(
                statuses=["DONE", "FAILED"],
                description="ndvi",
                request_ids=ids,
                since=datetime(2026, 11, 18, tzinfo=UTC),
            )
        ),
        "event_batch": Format(verdict.to_json(), lambda stored: Verdict.from_json(stored).to_json()),
        "event_group": Format(group.to_json(), lambda stored: GroupVerdict.from_json(stored).to_json()),
        "next_kwargs_sensor": Format(
            {"deadlines": DEADLINES.to_json()},
            lambda stored: {"deadlines": Deadlines.from_json(stored["deadlines"]).to_json()},
        ),
        "next_kwargs_run": Format(
            {"state": state.to_json()}, lambda stored: {"state": RunState.from_json(stored["state"]).to_json()}
        ),
        "next_kwargs_action": Format(
            {"checkpoint": checkpoint.to_json()},
            lambda stored: {"checkpoint": ActionCheckpoint.from_json(stored["checkpoint"]).to_json()},
        ),
        "state_store_sentinelhub_job": Format(
            creation.to_json(), lambda stored: CreationRecord.from_json(stored).to_json()
        ),
        "state_store_sentinelhub_run": Format(run.to_json(), lambda stored: RunRecord.from_json(stored).to_json()),
        "state_store_sentinelhub_costs": Format(
            costs.to_json(), lambda stored: CostRecord.from_json(stored).to_json()
        ),
        "state_store_sentinelhub_wait": Format(record.to_json(), kept_wait),
        "asset_store": Format(cursor().to_json(), lambda stored: CompletionCursor.from_json(stored).to_json()),
        "creation_tag": Format(str(tag), lambda stored: str(tag_of({"description": f"My job {stored}"}))),
    }


def file_of(name: str) -> Path:
    """Return where an example is kept."""
    return FOLDER / f"{name}.json"


def main() -> None:
    """Write all examples."""
    for name, each in formats().items():
        file_of(name).write_text(json.dumps(each.stored, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
