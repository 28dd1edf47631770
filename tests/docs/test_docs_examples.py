"""The example DAGs can be parsed by Airflow; tests/system runs those that the demo shows."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import pytest

from airflow_sentinelhub.emulator import Emulator, Folder
from tests.harness.task_runner import run
from tests.harness.versions import through_the_database

EXAMPLES = sorted((Path(__file__).parents[2] / "example_dags").glob("*.py"))


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, path.stem)()


@pytest.fixture(scope="module")
def dags():
    return {path.stem: load(path) for path in EXAMPLES}


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES])
def test_it_can_be_parsed_and_stored(dags, name):
    assert dags[name].dag_id == name
    assert dags[name].doc_md
    assert set(through_the_database(dags[name]).task_ids) == set(dags[name].task_ids)


@pytest.fixture
def tiles_dag(dags):
    return dags["example_batch_tiles"]


def test_the_gate_comes_between_the_tiles_and_what_uses_them(tiles_dag):
    gate, tiles = tiles_dag.get_task("gate"), tiles_dag.get_task("tiles")
    assert (tiles.upstream_task_ids, gate.upstream_task_ids) == ({"wait_for_job"}, {"tiles"})
    assert gate.downstream_task_ids == {"use_everything", "use_what_is_there"}
    assert gate.op_args[0].key == "counts"
    assert tiles_dag.get_task("publish").upstream_task_ids == gate.downstream_task_ids


@pytest.fixture
def counted(tiles_dag, tmp_path, monkeypatch):
    """Run the example's operator on a job, and give what it returns and what the gate gets."""
    with Emulator(speed=0, write_result=Folder(tmp_path)) as hub:
        monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", hub.airflow_connection)

        def counted(**scenario):
            request = {"output": {"delivery": {"s3": {"url": f"file://{tmp_path}"}}}}
            job = hub.add_job("process", status="DONE", request=request, scenario={"tile_count": 100, **scenario})
            operator = tiles_dag.get_task("tiles")
            monkeypatch.setattr(operator, "request_id", job)
            ended = run(operator)
            assert ended.state == "success", ended.error
            return ended.returned, ended.api.xcoms["counts"]

        yield counted


@pytest.mark.parametrize(
    ("failed", "branch", "says"),
    [
        (0, "use_everything", "All 100 features are there."),
        (2, "use_what_is_there", "98 features are there, without 33TVM_1 (Timeout), 33TVM_2 (Timeout)."),
        (6, None, "6 of 100 features are missing"),
    ],
)
def test_the_gate(tiles_dag, counted, failed, branch, says):
    tiles, counts = counted(failed_tiles=failed, tile_errors=["Timeout"])
    gate = tiles_dag.get_task("gate").python_callable
    if branch is None:
        with pytest.raises(ValueError, match=says):
            gate(counts, tiles_dag.params.dump())
        return
    assert gate(counts, tiles_dag.params.dump()) == branch
    assert tiles_dag.get_task(branch).python_callable(tiles) == says


def test_the_group_gathers_the_jobs_of_the_mapped_task(dags):
    dag = dags["example_batch_group"]
    gather = dag.get_task("gather")
    assert gather.upstream_task_ids == {"start_job"}
    assert gather.downstream_task_ids == {"report"}
    report = dag.get_task("report").python_callable
    jobs = {"done": [{"costPU": 1000}, {"costPU": 250}, {}], "failed": [], "pending": []}
    assert report(jobs) == "3 jobs are done and cost 1,250 PU."


@pytest.fixture
def run_dag(dags):
    return dags["example_batch_run"]


@pytest.mark.parametrize(
    ("counts", "branch", "says"),
    [
        ({"DONE": 100, "FATAL": 0, "PENDING": 0}, "use_everything", "Everything is there; it cost 1,250 PU."),
        (
            {"DONE": 97, "FATAL": 2, "PENDING": 1},
            "use_what_is_there",
            "3 of 100 features are missing; it cost 1,250 PU.",
        ),
        ({"DONE": 99, "FATAL": 0, "PENDING": 1}, "use_what_is_there", "1 of 100 features are missing"),
    ],
)
def test_the_gate_after_a_whole_run(run_dag, counts, branch, says):
    assert run_dag.get_task("gate").python_callable(counts) == branch
    known = {"job": {"id": "a_job", "costPU": 1250.0}, "counts": counts}
    task = run_dag.get_task(branch)
    wanted = {name: known[name] for name in inspect.signature(task.python_callable).parameters}
    assert task.python_callable(**wanted).startswith(says)


def test_what_follows_a_run_that_failed(run_dag):
    run = run_dag.get_task("run_country")
    assert run.downstream_task_ids >= {"gate", "tell_what_is_missing"}
    tell = run_dag.get_task("tell_what_is_missing").python_callable

    class Known(dict):
        def xcom_pull(self, task_ids, key):
            return self[key]

    known = Known(return_value={"id": "a_job"}, counts={"DONE": 80, "FATAL": 20})
    assert tell(ti=known) == "Too little came out of job a_job: {'DONE': 80, 'FATAL': 20}"
    known["counts"] = None
    assert tell(ti=known) == "Nothing was counted; the job: {'id': 'a_job'}"
