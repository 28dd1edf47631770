"""
The service fails, tokens and secrets change, and people interfere in the middle of a wait.

As in ``test_system_chaos.py``, each wait ends with the right verdict, once, and no job is stopped.
"""

from __future__ import annotations

import json
import re

import pytest

from airflow_sentinelhub.emulator import Emulator
from tests.system.watched import (
    Watched,
    assert_nothing_was_stopped,
    assert_right_verdicts,
    now,
    two_deferred,
)

pytestmark = pytest.mark.system


@pytest.fixture(scope="module", autouse=True)
def rotated(airflow):
    """
    A wait whose account gets another secret, in the service and in the connection.

    It takes more than a minute until that is tried again, so the other tests go by meanwhile: the account is at a
    service of its own.
    """
    with Emulator(speed=1) as service:
        stored = json.loads(service.airflow_connection)
        connection = {
            "connection_id": "stored",
            "conn_type": stored["conn_type"],
            "login": stored["login"],
            "password": stored["password"],
            "host": stored["host"],
            "extra": json.dumps(stored["extra"]),
        }
        airflow.request("POST", "/connections", json=connection)
        job = Watched(service, airflow, "wait_with_stored_connection").until_deferred()
        token_path = service.auth_url.removeprefix(service.url)

        def refused():
            return any(
                request["path"] == token_path and request["status"] not in (None, 200)
                for request in service.requests()["recent"]
            )

        service.rotate_secret("the-new-secret")
        service.revoke_tokens()
        job.until(refused, "nobody asks for a token with the old secret")
        assert job.state == "deferred"
        airflow.request("PATCH", "/connections/stored", json={**connection, "password": "the-new-secret"})
        yield job
        airflow.request("DELETE", "/connections/stored")


@pytest.fixture(autouse=True)
def calm(service):
    """After each trouble: the service is as before, and nobody was stopped who was not to be."""
    service.forget_requests()
    yield
    service.clear_faults()
    assert_nothing_was_stopped(service)


@pytest.fixture
def watched(service, airflow):
    return two_deferred(service, airflow)


def test_service_is_down_for_a_while(service, airflow, watched):
    address = service.url.removeprefix("http://")

    def attempts():
        """How often the triggerer has tried to connect."""
        lines = (airflow.component_logs / "triggerer.log").read_text(errors="replace").splitlines()
        return sum("Starting new HTTP connection" in line and address in line for line in lines)

    service.stop()
    before = attempts()
    watched[0].until(lambda: attempts() >= before + 5, "nobody tries again")
    watched[0].until_told("waiting on until")
    assert [job.state for job in watched] == ["deferred", "deferred"]
    service.start()
    for job in watched:
        job.until_watched()
    watched[0].until_told("answers again")
    assert_right_verdicts(watched)
    told = [line for line in watched[0].log() if "waiting on until" in line or "answers again" in line]
    assert len(told) == 2, f"once when it began, once when it was over: {told}"


def test_token_is_revoked(service, watched):
    tokens = service.requests()["by_api"].get("token", 0)
    service.revoke_tokens()
    watched[0].until_watched()
    watched[1].until_watched()
    assert_right_verdicts(watched)
    assert service.requests()["by_api"]["token"] - tokens == 1, "one new token for all waits of the triggerer"
    assert not any(re.search(r"\b401\b", line) for line in watched[0].log()), (
        "nothing that a person would have to know"
    )


def test_task_is_cleared_while_deferred(airflow, watched):
    good, bad = watched
    airflow.clear("wait", good.run_id, ["wait"])
    good.until_deferred()
    good.end()
    bad.end(status="FAILED")
    good.ends_as("success")
    bad.ends_as("failed")
    assert not good.verdicts(try_number=1)
    assert len(good.verdicts(try_number=2)) == 2


def test_task_is_marked_failed_while_deferred(service, airflow, watched):
    for job in watched:
        airflow.mark("wait", job.run_id, "wait", "failed")
    for job in watched:
        job.ends_as("failed")

    # Another wait in the same triggerer tells when there was time enough to look.
    other = Watched(service, airflow).until_deferred()

    def nobody_watches_any_longer():
        since = now()
        other.until_watched()
        return [job.looks(since) for job in watched] == [0, 0]

    other.until(nobody_watches_any_longer, "the jobs are looked at")
    for job in watched:
        assert service.job(job.job_id)["status"] == "PROCESSING", "the job goes on"
    other.end()
    other.ends_as("success")


def test_secret_is_rotated_in_the_connection(rotated):
    rotated.until_watched()
    rotated.end()
    rotated.ends_as("success")
    assert any("connection is read and tried again" in line for line in rotated.log())
    assert not any("the-new-secret" in line for line in rotated.log())
    assert_nothing_was_stopped(rotated.service)
