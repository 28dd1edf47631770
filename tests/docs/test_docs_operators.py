"""What docs/operators.md states of the operators is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import (
    Action,
    BatchApi,
    BatchJob,
    CallService,
    NotAllowed,
    NothingToDo,
    WaitUntil,
    creation_record,
    next_step,
)
from airflow_sentinelhub.jobs.creation_tag import tag_of
from airflow_sentinelhub.operators import batch, job_action_client, job_creation

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
NOW = 1_772_366_400.0
V2, V1 = BatchApi.PROCESS, BatchApi.PROCESS_V1
STARTED = ("ANALYSING", "ANALYSIS_DONE", "PROCESSING")

# The states that a row of the first table is about, by the row's beginning.
ROWS = {
    "CREATED, nobody": [("CREATED", "NONE")],
    "CREATED, its analysis": [("CREATED", "ANALYSE")],
    "CREATED, a start": [("CREATED", "START")],
    "ANALYSING on request": [("ANALYSING", "ANALYSE")],
    "ANALYSIS_DONE": [("ANALYSIS_DONE", "ANALYSE")],
    "started:": [(status, "START") for status in STARTED],
    "a stop (v1": [(status, "STOP") for status in STARTED],
    "STOPPED": [("STOPPED", "STOP")],
    "STOPPED, but": [("STOPPED", "START")],
    "PARTIAL": [("PARTIAL", "START")],
    "DONE": [("DONE", "START")],
    "FAILED": [("FAILED", "START")],
    "CANCELED": [("CANCELED", "CANCEL")],
    "a status": [("QUEUEING", "NONE")],
}
CELLS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("|")]
TABLE = CELLS[2 : 2 + len(ROWS)]


def shown(step):
    match step:
        case CallService():
            return "**cancel**" if step.call == "stop" and "cancel it" in step.message else f"**{step.call}**"
        case NothingToDo():
            return "nothing to stop" if "It was never started" in step.message else "is so already"
        case WaitUntil():
            return "waits"
        case NotAllowed():
            return f"`{step.kind.__name__}`"


def in_v1(cell):
    """What a cell says of v1, where that is apart."""
    return found[1] if (found := re.search(r"\(v1: ([^)]*)\)", cell) or re.search(r"^v1: (.*);", cell)) else cell


def in_v2(cell):
    return re.sub(r"^v1: .*; else ", "", re.sub(r" \(v1: [^)]*\)", "", cell))


def exists(row, api):
    only = {"STOPPED": V2, "CANCELED": V1}
    return all(api is where for name, where in only.items() if row[0].startswith(name))


@pytest.mark.parametrize(("row", "api"), [(row, api) for row in TABLE for api in (V2, V1) if exists(row, api)])
def test_the_table_of_states(row, api):
    states = ROWS[max((name for name in ROWS if row[0].startswith(name)), key=len)]
    for status, user_action in states:
        if api is V1 and user_action == "STOP":
            user_action = "CANCEL"
        payload = {"id": "x", "status": status, "userAction": user_action, "stoppedStatusReason": "USER_ACTION"}
        payload["lastUpdated"] = "2026-03-01T11:59:00Z"
        job = BatchJob.from_payload(api, payload)
        for action, cell in zip(Action, row[1:], strict=True):
            says = in_v1(cell) if api is V1 else in_v2(cell)
            expected = shown(next_step(action, job, NOW)).replace("restart_partial", "restartpartial")
            if expected == "**cancel**" and "cancel" not in says:
                expected = "**stop**"
            assert says.startswith(expected), (action, status, user_action)


def test_it_names_what_exists():
    for name in set(re.findall(r"`(?:…)(\w+Operator)`", PAGE)):
        assert hasattr(batch, f"SentinelHubBatch{name}"), name
    named = set(re.findall(r"`((?:Batch|Service|Invalid|Forbidden|Unauthorized)\w*)`", PAGE))
    assert len(named) >= 10
    for name in named:
        assert hasattr(exceptions, name), name


def test_its_numbers():
    assert f"up to {len(job_action_client.CONFIRMATION_PAUSES)} looks more, within a minute" in PAGE
    assert sum(job_action_client.CONFIRMATION_PAUSES) == 60
    assert f"a look every {job_action_client.NOT_FOUND_PAUSE:g} s" in PAGE


def test_the_numbers_of_a_creation():
    assert f"{creation_record.CLOCK_SLACK / 60:g} minutes are added" in PAGE
    assert (
        f"for {creation_record.NOT_FOUND_GRACE / 60:g} minutes; if it does not appear it is asked for once more"
        in PAGE
    )
    assert job_creation.ATTEMPTS == 2
    looks, waited, pause = 0, 0.0, job_creation.FIRST_PAUSE
    while waited < creation_record.NOT_FOUND_GRACE:
        looks, waited, pause = looks + 1, waited + pause, min(2 * pause, job_creation.LONGEST_PAUSE)
    assert f"up to {looks} times more" in PAGE


def test_its_tag_is_one():
    [line] = [line for line in PAGE.splitlines() if "[airflow dag=" in line]
    tag = tag_of({"description": line})
    assert str(tag) in line
    assert (tag.dag_id, tag.task_id) == ("ndvi", "create")


def test_the_dag_can_be_imported():
    [source] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    namespace: dict = {}
    with DAG("a_dag", schedule=None):
        exec(compile(source, "operators.md", "exec"), namespace)
    assert namespace["start"].upstream_task_ids == {"create"}
