"""What *Test* tells of a connection: that it works, or which field to look at, and never a credential."""

from __future__ import annotations

import json
import re
import socket

import pytest

from airflow_sentinelhub.client.deployments import DEPLOYMENTS
from airflow_sentinelhub.exceptions import ServiceUnavailable
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook


@pytest.fixture
def check(emulator, monkeypatch):
    """Test a connection to the emulator that is wrong in some fields."""

    def check(**wrong):
        extra = {"auth_url": emulator.auth_url, **wrong.pop("extra", {})}
        fields = {"login": emulator.client_id, "password": emulator.client_secret, "host": emulator.url, **wrong}
        fields |= {"conn_type": "sentinelhub", "extra": json.dumps(extra)}
        monkeypatch.setenv("AIRFLOW_CONN_FORM", json.dumps(fields))
        works, message = SentinelHubHook("form").test_connection()
        assert emulator.client_secret not in message
        assert fields["password"] is None or fields["password"] not in message
        return works, message

    return check


@pytest.fixture
def nobody():
    """An address at which nobody answers."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


@pytest.mark.parametrize(("jobs", "says"), [(0, "0"), (3, "3"), (7, "more than 5")])
def test_it_works(emulator, check, jobs, says):
    emulator.configure(page_size=5)
    for _ in range(jobs):
        emulator.add_job("process")
    works, message = check()
    assert works
    assert message.startswith(f"{emulator.url} accepts this OAuth client. Its token is valid until ")
    assert re.search(r"until (\d{4}-\d\d-\d\d )?\d\d:\d\d UTC\. Batch", message)
    assert message.endswith(f"Batch Process jobs in its list: {says}.")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"login": "another"}, "Look at Client ID and Client secret. "),
        ({"password": "forgotten"}, "Look at Client ID and Client secret. "),
        ({"login": None}, "Client id is empty: enter the id of the OAuth client."),
        ({"password": None}, "Client secret is empty: "),
        ({"host": "sh.example.org"}, "Host 'sh.example.org' has no scheme"),
        ({"extra": {"deployment": "atlantis"}}, "Deployment 'atlantis' in extra is not known"),
    ],
)
def test_it_names_the_field(check, wrong, says):
    works, message = check(**wrong)
    assert not works
    assert message.startswith(says)
    assert "'form'" not in message, "in a form that is tested the connection has an id that nobody has typed"


def test_a_wrong_authentication_url(emulator, check):
    works, message = check(extra={"auth_url": emulator.url + "/nowhere"})
    assert (works, message.partition(".")[0]) == (False, "Look at Authentication URL")


def test_a_wrong_base_url(emulator, check):
    works, message = check(host=emulator.url + "/nowhere")
    assert (works, message.partition(".")[0]) == (False, "Look at Base URL and url_layout")


def test_nobody_answers(check, nobody):
    works, message = check(extra={"auth_url": nobody})
    assert not works
    assert message.startswith("Look at Authentication URL, or the network of this machine. ")
    assert "no connection" in message


def test_nobody_answers_at_a_known_address(check, monkeypatch):
    def no_network(self):
        raise ServiceUnavailable("OAuth client: no connection (Name or service not known).")

    monkeypatch.setattr("airflow_sentinelhub.client.token_endpoint.TokenEndpoint.fetch", no_network)
    works, message = check(host=None, extra={"deployment": "cdse", "auth_url": None})
    assert not works
    assert message.startswith("Look at the network of this machine (proxy, firewall), or Authentication URL. ")


def test_a_plan_without_batch_processing(emulator, check):
    emulator.fault(status=403, method="GET", times=None, message="Insufficient permissions")
    works, message = check()
    assert not works
    assert message.startswith("Look at your plan. The credentials are right, but this account may not use Batch")
    assert "Insufficient permissions" in message


def test_a_token_of_another_deployment(emulator, check):
    emulator.fault(status=401, method="GET", times=None)
    works, message = check()
    assert (works, message.partition(".")[0]) == (False, "Look at Authentication URL and Base URL")


@pytest.mark.parametrize(
    ("client_id", "deployment", "suspect"),
    [("sh-0815", "main", True), ("0815", "main", False), ("0815", "cdse", True), ("sh-0815", "cdse", False)],
)
def test_a_client_of_another_deployment(emulator, check, client_id, deployment, suspect):
    """On CDSE the ids of OAuth clients begin with "sh-", elsewhere they do not."""
    works, message = check(login=client_id, host=None, extra={"deployment": deployment})
    named = f"Deployment ({DEPLOYMENTS[deployment].title}), " if suspect else ""
    assert (works, message.partition(". ")[0]) == (False, f"Look at {named}Client ID and Client secret")


def test_a_secret_that_was_replaced_is_noticed_at_once(emulator, check):
    assert check()[0]
    secret = emulator.client_secret
    emulator.rotate_secret("another")
    assert not check(password=secret)[0], "an old token outlives its secret"
