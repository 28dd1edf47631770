"""What docs/events.md states of the trigger that starts DAGs is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_sentinelhub.jobs import BatchApi, ListedJob, read_filter
from airflow_sentinelhub.jobs.completion import ENDS, LINGERS
from airflow_sentinelhub.jobs.completion_cursor import LATE, MOST_OPEN
from airflow_sentinelhub.jobs.creation_tag import CreationTag
from airflow_sentinelhub.jobs.intervals import SHORTEST_INTERVAL
from airflow_sentinelhub.triggers.event import MIN_EVENT_SPACING, SentinelHubBatchEventTrigger
from airflow_sentinelhub.waits.list_scope import RESTING_INTERVAL
from tests.docs.test_docs_examples import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
EXAMPLE = ROOT / "example_dags" / "example_batch_event.py"


def fetch(dag, asset, payloads):
    """What the DAG makes of events with these payloads."""
    events = [SimpleNamespace(extra={"payload": payload}) for payload in payloads]

    def get(wanted, default):
        return events if events and wanted is asset else default

    [task] = dag.roots
    return task.python_callable(triggering_asset_events=SimpleNamespace(get=get))


def dags():
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    namespace = {}
    exec(compile(code, "docs/events.md", "exec"), namespace)
    yield namespace["after_each_job"](), namespace["finished"]
    dag = load(EXAMPLE)
    yield dag, dag.timetable.asset_condition.objects[0]


@pytest.mark.parametrize("which", [0, 1])
def test_the_examples_take_each_end_once_and_none_by_hand(which):
    dag, asset = list(dags())[which]
    ends = [{"id": job, "event": {"key": f"{job} DONE"}} for job in ("a", "b", "a")]
    assert [job["id"] for job in fetch(dag, asset, ends)] == ["a", "b"]
    assert fetch(dag, asset, []) == []
    [watcher] = asset.watchers
    assert isinstance(watcher.trigger, SentinelHubBatchEventTrigger)


def test_the_example_reports_a_job():
    report = load(EXAMPLE).get_task("report").python_callable
    assert report({"id": "a", "status": "DONE", "costPU": 1250}) == "Job a is DONE and cost 1,250 PU."


def test_the_arguments():
    parameters = inspect.signature(SentinelHubBatchEventTrigger.__init__).parameters
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \| ", PAGE, re.MULTILINE))
    given = {name: repr(each.default).replace("'", '"') for name, each in parameters.items() if name != "self"}
    assert {name: value for name, value in rows.items() if name in given} == given


@pytest.mark.parametrize("api", BatchApi)
def test_the_ends(api):
    assert f"| `{api.value}` | {', '.join(f'`{status}`' for status in ENDS[api])} |" in PAGE


def test_its_numbers():
    assert f"never less than {SHORTEST_INTERVAL:.0f} s" in TEXT
    assert RESTING_INTERVAL == LATE == LINGERS == 600
    assert TEXT.count("ten minutes") == 3
    assert MIN_EVENT_SPACING == 10
    assert "ten seconds after the others" in TEXT
    assert f"Up to {MOST_OPEN:,} jobs" in TEXT


def test_jobs_of_a_dag_are_found_by_their_tag():
    [description] = re.findall(r'`description="(\[airflow[^"]+)"`', PAGE)
    tag = str(CreationTag("ndvi", "manual__1", "create", -1, "abc", "123"))
    payload = {"id": "a", "status": "DONE", "request": {"description": f"my job {tag}"}}
    job = ListedJob.from_payload(BatchApi.PROCESS, payload)
    assert read_filter(BatchApi.PROCESS, description=description).matches(job)


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https:)([^)#]+)(?:#[\w-]+)?\)", PAGE))
def test_links_lead_somewhere(target):
    assert (ROOT / "docs" / target).exists()
