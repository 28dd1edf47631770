"""The tiles operator, run by Airflow's task runner against an emulator that delivers to a folder or to S3."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from airflow.sdk import DAG

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.emulator import Emulator, Folder
from airflow_sentinelhub.jobs import BatchApi, known_statuses
from airflow_sentinelhub.operators.tiles import SentinelHubBatchTilesOperator
from airflow_sentinelhub.results import report
from tests.harness.s3 import BUCKET, KEY_ID, SECRET
from tests.harness.task_runner import run
from tests.harness.versions import through_the_database

V1 = known_statuses(BatchApi.PROCESS_V1)
APIS = [api.value for api in BatchApi]
SCENARIO = {"tile_count": 12, "failed_tiles": 2, "tile_errors": ["Out of memory"], "no_data_tiles": 3}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "bucket"


@pytest.fixture
def hub(root, s3, monkeypatch):
    """A local Sentinel Hub in which no time passes; its jobs deliver to a folder (``file://``) or to S3."""
    folder = Folder(root)

    def write(url, content):
        (s3.write if url.startswith("s3://") else folder)(url, content)

    with Emulator(speed=0, write_result=write) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_SH", emulator.airflow_connection)
        yield emulator


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """No test really pauses."""
    pauses = []
    monkeypatch.setattr(SentinelHubBatchTilesOperator, "_sleep", staticmethod(pauses.append))
    return pauses


@pytest.fixture
def add(hub, root):
    """Put in a job that delivers to the folder, or to ``url``."""

    def add(api="process", status="DONE", url=None, **scenario):
        place = {"s3": {"url": url or f"file://{root}/x"}}
        output = {"delivery": place} if api == "process" else place
        request = None if api == "process_v1" else {"output": output}
        return hub.add_job(api, status=status, request=request, scenario={**SCENARIO, **scenario})

    return add


def tiles(job, api="process", **arguments):
    arguments = {"task_id": "tiles", "api": api, "request_id": job, "sentinelhub_conn_id": "sh", **arguments}
    return run(SentinelHubBatchTilesOperator(**arguments))


def numbers(returned):
    return {status: len(tiles) for status, tiles in returned.items()}


EXPECTED = {
    "process": {"DONE": 10, "FATAL": 2, "PENDING": 0},
    "statistical": {"DONE": 9, "PARTIAL": 1, "FAILED": 2, "UNREADABLE": 0},
    "process_v1": {**dict.fromkeys(V1, 0), "PROCESSED": 10, "FAILED": 2},
}


@pytest.mark.parametrize("place", ["file", "s3"])
@pytest.mark.parametrize("api", APIS)
def test_what_came_out(add, pauses, s3, monkeypatch, api, place):
    conn_id = s3.connection(monkeypatch) if place == "s3" else None
    job = add(
        api, url=f"s3://{BUCKET}/x" if place == "s3" else None, partial_tiles=1 if api == "statistical" else 0
    )
    ended = tiles(job, api, storage_conn_id=conn_id)
    assert ended.state == "success", ended.error
    assert numbers(ended.returned) == EXPECTED[api] == ended.api.xcoms["counts"]
    assert json.loads(json.dumps(ended.returned)) == ended.returned
    assert pauses == []
    told = {"process": "  2 FATAL: Out of memory", "statistical": "  2 FAILED: Out of memory"}
    assert told.get(api, "Tiles, DONE: 10 PROCESSED, 2 FAILED (") in ended.log


def test_what_is_told_of_a_feature(add):
    returned = tiles(add("process", partial_tiles=0)).returned
    assert returned["FATAL"][0] == {"id": 1, "name": "33TVM_1", "error": "Out of memory", "delivered": False}
    assert returned["DONE"][0] == {"id": 3, "name": "33TVM_3", "error": "No data", "delivered": False}
    assert returned["DONE"][-1] == {"id": 12, "name": "33TVM_12", "error": None, "delivered": True}


def test_what_is_told_of_a_statistical_feature(add):
    returned = tiles(add("statistical", partial_tiles=1), "statistical").returned
    [partial] = returned["PARTIAL"]
    assert (partial["identifier"], partial["intervals"]) == ("33TVM_6", 3)
    assert partial["failed_intervals"] == [
        {"from": "2019-04-01T00:00:00Z", "to": "2019-05-01T00:00:00Z", "error": "EXECUTION_ERROR"}
    ]
    assert returned["FAILED"][0]["error"] == "Out of memory"
    assert "outputs" not in json.dumps(returned)


def test_templates_in_the_delivery_url(add, root):
    job = add("process", url=f"file://{root}/s1/<tileName>/<requestId>_<outputId>.<format>")
    assert numbers(tiles(job).returned) == EXPECTED["process"]
    job = add("statistical", url=f"file://{root}/<IDENTIFIER>/<REQUEST_ID>/<ID>.json")
    assert numbers(tiles(job, "statistical").returned)["DONE"] == 10


def test_files_of_other_jobs_that_cannot_be_told_apart_are_warned_of(add, root):
    job = add("statistical", url=f"file://{root}/shared/<ID>.json")
    assert "results that other jobs delivered" in tiles(job, "statistical").log
    assert "results that other jobs delivered" not in tiles(add("statistical"), "statistical").log


def requests_for_tiles(hub):
    recent = [each for each in hub.requests()["recent"] if str(each["path"]).endswith("/tiles")]
    return Counter(str(each["query"]) for each in recent)


def test_v1_asks_for_what_is_wanted_and_page_by_page(hub, add):
    hub.configure(page_size=5)
    job = add("process_v1", status="PARTIAL")
    ended = tiles(job, "process_v1", statuses=["FAILED", "PENDING"])
    assert numbers(ended.returned) == {**dict.fromkeys(V1, 0), "FAILED": 2}
    assert ended.api.xcoms["counts"] == {"PENDING": 0, "FAILED": 2}
    assert dict(requests_for_tiles(hub)) == {"status=FAILED": 1, "status=PENDING": 1}
    hub.forget_requests()
    assert numbers(tiles(job, "process_v1").returned)["PROCESSED"] == 10
    assert sum(requests_for_tiles(hub).values()) == 3
    assert hub.requests()["by_api"]["process_v1"] == 4, "one for the job itself"


def test_v1_tiles_have_their_geometry_only_if_asked(add):
    job = add("process_v1", status="DONE")
    assert "geometry" not in tiles(job, "process_v1").returned["PROCESSED"][0]
    assert "geometry" in tiles(job, "process_v1", include_geometry=True).returned["PROCESSED"][0]


def test_v1_tiles_that_come_twice_count_once(hub, add, monkeypatch):
    from airflow_sentinelhub.client.batch import BatchClient

    listed = BatchClient.tiles
    monkeypatch.setattr(BatchClient, "tiles", lambda *a, **k: [*listed(*a, **k)] * 2)
    assert numbers(tiles(add("process_v1"), "process_v1").returned)["PROCESSED"] == 10


def test_v1_tiles_that_are_missing_are_warned_of(hub, add, monkeypatch):
    from airflow_sentinelhub.client.batch import BatchClient

    listed = BatchClient.tiles
    monkeypatch.setattr(BatchClient, "tiles", lambda *a, **k: [*listed(*a, **k)][1:])
    job = add("process_v1")
    assert "The service lists 11 tiles, although it says that there are 12." in tiles(job, "process_v1").log
    assert "although" not in tiles(job, "process_v1", statuses=["FAILED"]).log


def test_a_status_that_does_not_exist_yet_is_one_more_key(hub):
    job = hub.add_job("process_v1", steps=[{"status": "DONE", "tiles": {"PROCESSED": 2, "NEW_WORD": 1}}])
    ended = tiles(job, "process_v1")
    assert numbers(ended.returned) == {**dict.fromkeys(V1, 0), "PROCESSED": 2, "NEW_WORD": 1}
    assert "does not know the status NEW_WORD" in ended.log


@pytest.mark.parametrize("api", APIS)
def test_filter(add, api):
    wrong = {"process": "FATAL", "statistical": "FAILED", "process_v1": "FAILED"}[api]
    ended = tiles(add(api), api, statuses=[wrong.lower()])
    assert {status for status, found in ended.returned.items() if found} == {wrong}
    assert set(ended.returned) == set(EXPECTED[api])
    assert ended.api.xcoms["counts"] == {wrong: 2}
    assert f"(only {wrong} were asked for)" in ended.log


@pytest.mark.parametrize("api", APIS)
def test_limit(add, api):
    job = add(api)
    ended = tiles(job, api, limit=2)
    assert set(numbers(ended.returned).values()) == {0, 2}
    counts = ended.api.xcoms["counts"]
    assert (sum(counts[status] for status in EXPECTED[api]), counts["truncated"]) == (12, True)
    assert "limit: XCom gets 4 of 12" in ended.log
    assert tiles(job, api, limit=10).api.xcoms["counts"]["truncated"] is False
    assert "truncated" not in tiles(job, api).api.xcoms["counts"]


def test_nothing_is_cut_but_many_are_warned_of(add, monkeypatch, tmp_path):
    monkeypatch.setattr(report, "MANY", 11)
    job = add("process")
    ended = tiles(job)
    assert sum(numbers(ended.returned).values()) == 12
    assert "12 features go to XCom" in ended.log
    assert "output_path='s3://bucket/tiles.jsonl'" in ended.log
    assert "go to XCom" not in tiles(job, limit=5).log
    assert "go to XCom" not in tiles(job, output_path=f"file://{tmp_path}/tiles.jsonl").log
    monkeypatch.setattr(report, "MANY", 12)
    assert "go to XCom" not in tiles(job).log


@pytest.mark.parametrize("place", ["file", "s3"])
@pytest.mark.parametrize("api", APIS)
def test_output_path(add, s3, monkeypatch, tmp_path, api, place):
    path = f"s3://{BUCKET}/{api}/out.jsonl" if place == "s3" else f"file://{tmp_path}/new/folder/out.jsonl"
    conn_id = s3.connection(monkeypatch) if place == "s3" else None
    ended = tiles(add(api), api, output_path=path, storage_conn_id=conn_id)
    assert ended.state == "success", ended.error
    counts = ended.api.xcoms["counts"]
    assert ended.returned == {"path": path, "counts": counts}
    content = s3.read(path) if place == "s3" else (tmp_path / "new" / "folder" / "out.jsonl").read_bytes()
    lines = [json.loads(line) for line in content.splitlines()]
    assert Counter(line["status"] for line in lines) == {
        status: count for status, count in counts.items() if count
    }
    assert f"All 12 are in {path}." in ended.log


def test_output_path_holds_only_what_is_asked_for(add, tmp_path):
    path = f"file://{tmp_path}/failed.jsonl"
    ended = tiles(add("process"), statuses="FATAL", output_path=path)
    assert ended.returned == {"path": path, "counts": {"FATAL": 2}}
    assert len((tmp_path / "failed.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_no_file_is_left_when_the_tiles_cannot_be_read(add, root, tmp_path):
    ended = tiles(add("process", status="CREATED"), output_path=f"file://{tmp_path}/out.jsonl")
    assert type(ended.error) is exceptions.ResultsUnavailable
    assert not (tmp_path / "out.jsonl").exists()
    assert "counts" not in ended.api.xcoms


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("PROCESSING", "The job is PROCESSING, so this is how things stand now"),
        ("STOPPED", "The job is STOPPED, so this is how things stand now"),
        ("DONE", None),
        ("FAILED", None),
    ],
)
def test_a_job_that_is_not_over_is_warned_of(add, status, says):
    ended = tiles(add("process", status=status))
    assert ended.state == "success", ended.error
    assert (says in ended.log) if says else ("how things stand" not in ended.log)


def test_a_done_job_with_pending_features_is_looked_at_again_and_warned_of(add, pauses):
    ended = tiles(add("process", completion_percentage=50))
    assert numbers(ended.returned) == {"DONE": 4, "FATAL": 2, "PENDING": 6}
    assert pauses == [1, 2, 5, 10]
    assert "The job is DONE, and yet 6 of its features are PENDING." in ended.log


def failing(job, api="process", **arguments):
    ended = tiles(job, api, **arguments)
    assert ended.state == "failed"
    assert str(job) in str(ended.error)
    return ended


@pytest.mark.parametrize("api", ["process", "statistical"])
@pytest.mark.parametrize("status", ["CREATED", "ANALYSIS_DONE"])
def test_a_job_that_never_ran(add, pauses, api, status):
    ended = failing(add(api, status=status), api)
    assert type(ended.error) is exceptions.ResultsUnavailable
    assert f"The job is {status}" in str(ended.error)
    assert (ended.error.job_id, ended.error.api, ended.error.status) == (ended.error.job_id, api, status)
    assert pauses == []


def test_v1_before_its_analysis_has_no_tiles(add):
    ended = tiles(add("process_v1", status="CREATED"), "process_v1")
    assert numbers(ended.returned) == dict.fromkeys(V1, 0)
    assert "The job is CREATED, so this is how things stand now" in ended.log


@pytest.mark.parametrize("api", ["process", "statistical"])
def test_results_that_somebody_deleted(hub, add, root, pauses, api):
    job = add(api)
    hub.job(job)
    for file in sorted(root.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    ended = failing(job, api)
    assert type(ended.error) is exceptions.ResultsUnavailable
    assert "storage_conn_id reaches another account" in str(ended.error)


@pytest.mark.parametrize("api", ["process", "statistical"])
def test_a_request_without_a_delivery_url(hub, api):
    secret = {"url": None, "secretAccessKey": "hush-hush"}
    job = hub.add_job(api, status="DONE", request={"output": {"delivery": {"s3": secret}, "s3": secret}})
    ended = failing(job, api)
    assert type(ended.error) is exceptions.ResultsUnavailable
    assert "does not say where it delivers" in str(ended.error)


@pytest.mark.parametrize("api", ["process", "statistical"])
def test_a_storage_connection_that_does_not_exist(add, pauses, api):
    ended = failing(add(api, url=f"s3://{BUCKET}/x"), api, storage_conn_id="nobody")
    assert type(ended.error) is exceptions.ResultsUnavailable
    assert "there is no Airflow connection 'nobody'" in str(ended.error)
    assert pauses == []


@pytest.mark.parametrize("api", ["process", "statistical"])
def test_a_storage_connection_without_the_right_to_read(add, hub, s3, pauses, monkeypatch, api):
    job = add(api, url=f"s3://{BUCKET}/x")
    conn_id = s3.connection(monkeypatch)
    hub.job(job)
    with s3.checking_keys():
        ended = failing(job, api, storage_conn_id=conn_id)
    assert type(ended.error) is exceptions.ResultsUnavailable
    assert f"connection '{conn_id}' may not" in str(ended.error)
    assert pauses == []
    everything = json.dumps([ended.lines, ended.api.xcoms, ended.api.rendered, str(ended.error)], default=str)
    assert SECRET not in everything
    assert KEY_ID not in everything


def test_a_job_that_does_not_exist(hub):
    job = "0a1b2c3d-0000-4000-8000-000000000000"
    assert type(failing(job).error) is exceptions.NotFound


def test_no_secret_anywhere(hub, add, s3, monkeypatch, root):
    keys = {"accessKey": KEY_ID, "secretAccessKey": SECRET}
    request = {"output": {"delivery": {"s3": {"url": f"file://{root}/x", **keys}}}}
    job = hub.add_job(
        "process", status="DONE", request=request, scenario={**SCENARIO, "tile_errors": [f"No access {KEY_ID}"]}
    )
    ended = tiles({"id": job, "request": request}, storage_conn_id=s3.connection(monkeypatch))
    assert ended.state == "success"
    assert ended.api.rendered["request_id"] == job
    assert ended.returned["FATAL"][0]["error"] == "No access *****"
    everything = json.dumps([ended.lines, ended.api.xcoms, ended.api.rendered], default=str)
    for secret in (KEY_ID, SECRET, hub.client_secret):
        assert secret not in everything


@pytest.mark.parametrize(
    "form", [lambda job: job, lambda job: {"id": job}, lambda job: json.dumps({"id": job, "request": {"a": 1}})]
)
def test_forms_of_the_request_id(add, form):
    job = add("process")
    assert tiles(form(job)).state == "success"


def test_what_is_templated(add, tmp_path):
    job = add("process")
    assert set(SentinelHubBatchTilesOperator.template_fields) == {
        "request_id",
        "sentinelhub_conn_id",
        "storage_conn_id",
        "output_path",
    }
    ended = tiles(f"{{{{ '{job}' }}}}", output_path=f"file://{tmp_path}/{{{{ run_id }}}}.jsonl")
    assert ended.returned["path"] == f"file://{tmp_path}/a_run.jsonl"


def test_it_only_reads(hub, add):
    for api in APIS:
        tiles(add(api), api)
    assert not any(hub.requests()["actions"].values())


@pytest.mark.parametrize("api", ["process", "statistical"])
def test_what_it_costs(hub, add, api):
    job = add(api)
    hub.forget_requests()
    tiles(job, api)
    assert hub.requests()["by_api"].get(api) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"api": "v2"}, "it is 'v2'"),
        ({"statuses": ["FAILED"]}, "Batch Process has no FAILED; it has DONE, FATAL, PENDING"),
        ({"statuses": []}, "needs at least one status"),
        ({"limit": 0}, "at least 1"),
        ({"limit": True}, "at least 1"),
        ({"limit": 5, "output_path": "s3://b/x"}, "give one of them"),
    ],
)
def test_arguments_that_make_no_sense(arguments, says):
    with pytest.raises(ValueError, match=says):
        SentinelHubBatchTilesOperator(task_id="tiles", request_id="x", **arguments)


def test_it_can_be_stored_and_mapped():
    with DAG("a_dag", schedule=None) as dag:
        SentinelHubBatchTilesOperator(task_id="one", request_id="x", api="statistical", statuses=["FAILED"])
        SentinelHubBatchTilesOperator.partial(task_id="many", api="process_v1").expand(request_id=["x", "y"])
    assert set(through_the_database(dag).task_ids) == {"one", "many"}


def test_without_xcom_nothing_is_pushed(add):
    ended = tiles(add("process"), do_xcom_push=False)
    assert (ended.state, ended.api.xcoms) == ("success", {})


@pytest.mark.parametrize("api", ["process", "statistical"])
@pytest.mark.parametrize(("is_local", "is_allowed"), [(True, False), (False, True), (False, False)])
def test_a_folder_of_the_worker_is_read_only_if_it_may_be(add, hub, monkeypatch, api, is_local, is_allowed):
    job = add(api)
    connection = json.loads(hub.airflow_connection)
    connection["extra"] = {**connection["extra"], "allow_file_delivery": is_allowed}
    monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps(connection))
    monkeypatch.setattr("airflow_sentinelhub.client.config.ClientConfig.is_local", is_local)
    ended = tiles(job, api)
    assert ended.state == ("success" if is_local or is_allowed else "failed"), ended.error
    assert ("allow_file_delivery is set" in ended.log) is is_allowed
    if ended.error:
        assert type(ended.error) is exceptions.ResultsUnavailable
        assert "a folder of this worker, while the service is not on this machine" in str(ended.error)


@pytest.mark.parametrize("api", ["process", "statistical"])
def test_a_job_cannot_choose_the_connection_that_reads_its_bucket(add, s3, monkeypatch, api):
    other = s3.connection(monkeypatch)
    url = f"s3://{BUCKET}/{api}-other"
    job = add(api, url=url)
    monkeypatch.setattr(
        "airflow_sentinelhub.client.batch.BatchClient.get",
        with_url(f"s3://{other}@{BUCKET}/{api}-other"),
    )
    ended = tiles(job, api, storage_conn_id="nobody")
    assert "there is no Airflow connection 'nobody'" in str(ended.error)


def with_url(url):
    """Let the service say that jobs deliver to another place."""
    from airflow_sentinelhub.client.batch import BatchClient

    get = BatchClient.get

    def changed(self, job_id, **options):
        payload = get(self, job_id, **options)
        output = payload["request"]["output"]
        output.get("delivery", output)["s3"]["url"] = url
        return payload

    return changed


@pytest.mark.parametrize("api", ["process", "statistical"])
def test_a_job_that_delivers_elsewhere(add, monkeypatch, api):
    job = add(api)
    monkeypatch.setattr("airflow_sentinelhub.client.batch.BatchClient.get", with_url("memory://x/y"))
    ended = tiles(job, api)
    assert type(ended.error) is exceptions.ResultsUnavailable
    assert "it says that it delivers to memory://x/y, and only s3:// and gs:// are read" in str(ended.error)


@pytest.mark.parametrize("api", APIS)
def test_more_than_an_xcom_can_hold(add, monkeypatch, tmp_path, api):
    monkeypatch.setattr("airflow_sentinelhub.operators.tiles.LARGEST_XCOM", 100)
    job = add(api)
    ended = tiles(job, api)
    assert type(ended.error) is exceptions.ResultsUnavailable
    assert "are more than 100 characters of JSON" in str(ended.error)
    assert tiles(job, api, output_path=f"file://{tmp_path}/out.jsonl").state == "success"
