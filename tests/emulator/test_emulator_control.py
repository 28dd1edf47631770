"""The control interface: the same in this process and over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest
import requests

from airflow_sentinelhub.emulator import Control, Emulator, EmulatorControl
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi


@pytest.fixture(params=["in this process", "over HTTP"])
def control(request: pytest.FixtureRequest, emulator: Emulator) -> Control:
    return emulator if request.param == "in this process" else EmulatorControl(emulator.url + "/")


def test_addresses_and_client(control: Control, emulator: Emulator) -> None:
    assert (control.url, control.client_id) == (emulator.url, "emulator-client")
    assert control.auth_url == f"{emulator.url}/auth/realms/main/protocol/openid-connect/token"
    assert control.cdse_auth_url == f"{emulator.url}/auth/realms/CDSE/protocol/openid-connect/token"


def test_jobs(control: Control) -> None:
    first = control.add_job("process", status="DONE", description="mine", job_id="one", age=60)
    control.add_job("statistical", steps=[{"status": "FUTURE_WORD"}])
    assert (first, control.job("one")["request"]["description"]) == ("one", "mine")
    assert [(job["api"], job["status"]) for job in control.jobs()] == [
        ("process", "DONE"),
        ("statistical", "FUTURE_WORD"),
    ]
    foreign = control.add_foreign_jobs("process_v1", 2, age=5, every=5)
    assert [job["id"] for job in control.jobs() if job["api"] == "process_v1"] == foreign
    control.set_scenario(first, steps=[{"status": "STOPPED"}])
    assert control.job(first)["status"] == "STOPPED"
    control.remove_job(first)
    with pytest.raises(ValueError, match="one"):
        control.job(first)


def test_the_next_job_gets_the_next_scenario(control: Control, emulator: Emulator, user: requests.Session) -> None:
    control.next_scenario(steps=[{"status": "FAILED"}], api="statistical")
    control.next_scenario(steps=[{"status": "DONE"}])
    control.default_scenario({"cost": 7})
    made = [
        user.post(emulator.url + api.path(), json=sample_request(api), timeout=60).json()["status"]
        for api in (BatchApi.PROCESS, BatchApi.PROCESS, BatchApi.STATISTICAL)
    ]
    assert made == ["DONE", "CREATED", "FAILED"]
    assert control.job(control.add_job("process", status="DONE"))["costPU"] == 7.0


def test_clock(control: Control) -> None:
    job = control.add_job("process")
    control.advance(31)
    assert control.job(job)["status"] == "ANALYSING"
    control.set_speed(1e9)
    assert control.job(job)["status"] == "DONE"


def test_settings(control: Control) -> None:
    control.configure(page_size=5, not_found_seconds=3)
    assert (control.settings()["page_size"], control.settings()["not_found_seconds"]) == (5, 3)
    assert "client_secret" not in control.settings()
    wrong = [
        *(("page_sise", 5), ("page_size", "5"), ("page_size", True), ("page_size", 0), ("retention", 1)),
        *(("processing_units", "many"), ("processing_units", -1), ("page_size", None), ("answer_seconds", -0.1)),
        *(("requests_per_minute", 0), ("requests_per_minute", 2.5), ("hidden_fields", "id")),
    ]
    for name, value in wrong:
        with pytest.raises(ValueError, match=name):
            control.configure(**{"main_token_seconds": 1, name: value})
    assert control.settings()["main_token_seconds"] == 3599
    control.configure(processing_units=1500.5, requests_per_minute=300)
    control.configure(processing_units=None)
    assert (control.settings()["processing_units"], control.settings()["requests_per_minute"]) == (None, 300)


def test_requests_are_counted_by_what_they_ask_for(
    control: Control, emulator: Emulator, user: requests.Session
) -> None:
    job = control.add_job("process_v1", status="DONE")
    for path in (
        "",
        "?count=3",
        f"/{job}",
        f"/{job}/tiles",
        f"/{job}/tiles/1",
        f"/{job}/tiles/2",
        f"/{job}/cancel",
    ):
        user.get(f"{emulator.url}/api/v1/batch/process{path}", timeout=60)
    control.fault("drop")
    with pytest.raises(requests.ConnectionError):
        user.post(f"{emulator.url}/api/v1/batch/process/{job}/cancel", timeout=60)
    counts = control.requests()
    assert counts["total"] == 8
    assert counts["by_path"] == {
        "GET /api/v1/batch/process": 2,
        "GET /api/v1/batch/process/{id}": 1,
        "GET /api/v1/batch/process/{id}/tiles": 1,
        "GET /api/v1/batch/process/{id}/tiles/{tileId}": 2,
        "GET /api/v1/batch/process/{id}/cancel": 1,
        "POST /api/v1/batch/process/{id}/cancel": 1,
    }
    assert counts["by_api"] == {"process_v1": 8}
    assert counts["by_status"] == {"200": 6, "405": 1}
    assert (counts["actions"]["cancel"], counts["actions"]["stop"], counts["actions"]["start"]) == (1, 0, 0)
    last = counts["recent"][-1]
    assert (last["method"], last["status"], last["fault"]) == ("POST", None, "drop")
    assert str(counts["recent"][0]["user_agent"]).startswith("python-requests/")
    control.forget_requests()
    assert control.requests()["total"] == 0


def test_secrets_are_not_kept_with_the_requests(emulator: Emulator, user: requests.Session) -> None:
    user.get(f"{emulator.url}/batch/v2/process", timeout=60)
    token = str(user.headers["Authorization"]).split()[1]
    kept = str(emulator.requests())
    assert token not in kept
    assert emulator.client_secret not in kept


def test_a_reset_forgets_everything(control: Control, emulator: Emulator, user: requests.Session) -> None:
    control.add_job("process")
    control.fault(status=500, times=None)
    control.next_scenario({"end": "FAILED"})
    control.rotate_secret("other")
    control.set_speed(5)
    control.reset()
    assert (control.jobs(), control.faults(), control.requests()["total"]) == ([], [], 0)
    assert emulator.client_secret == "emulator-secret"
    assert emulator.service.clock.speed == 0
    assert user.get(f"{emulator.url}/batch/v2/process", timeout=60).status_code == 401


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda control: control.add_job("proces"), "proces"),
        (lambda control: control.add_job("process", user_action="SLEEP"), "SLEEP"),
        (lambda control: control.advance(-1), "backwards"),
        (lambda control: control.clear_faults(99), "99"),
        (lambda control: control.next_scenario({"end": "?"}), "does not end"),
    ],
)
def test_nonsense_is_refused_with_a_reason(
    control: Control, wrong: Callable[[Control], object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        wrong(control)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("POST", "/jobs", b"{", 400),
        ("POST", "/jobs", b"[]", 400),
        ("POST", "/jobs", b"{}", 400),
    ],
)
def test_nonsense_over_http(emulator: Emulator, method: str, path: str, body: bytes | None, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.request(method, f"{emulator.url}/_emulator{path}", data=body, headers=headers, timeout=60)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_an_emulator_can_be_stopped_and_started_at_the_same_address() -> None:
    before, emulator = set(threading.enumerate()), Emulator(speed=0)
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url
    with emulator:
        url, job = emulator.url, emulator.add_job("process")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)
    with emulator:
        assert emulator.url == url
        assert EmulatorControl(url).job(job)["status"] == "CREATED"
    emulator.stop()
    assert not set(threading.enumerate()) - before


def test_a_taken_port_is_an_error_and_leaks_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        emulator = Emulator(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            emulator.start()


def test_many_threads_can_use_it_at_once(emulator: Emulator, user: requests.Session) -> None:
    token = str(user.headers["Authorization"])
    failures: list[object] = []

    def work() -> None:
        for _ in range(20):
            job = emulator.add_job("process")
            url = f"{emulator.url}/batch/v2/process/{job}"
            answer = requests.get(url, headers={"Authorization": token}, timeout=60)
            if answer.status_code != 200:
                failures.append(answer.text)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert emulator.requests()["total"] == 160
