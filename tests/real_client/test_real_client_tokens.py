"""Where the real client's tokens come from and how long it keeps them (sentinelhub-api.md, section 2.2)."""

from __future__ import annotations

import pytest
import requests
from oauthlib.oauth2 import InvalidClientError, OAuth2Error

from tests.real_client.library import (
    VERSION,
    BatchProcessClient,
    SentinelHubBatch,
    SentinelHubBatchStatistical,
    configuration,
    forget_tokens,
    on_time_of,
    sentinelhub,
)
from tests.real_client.virtual_time import LibraryTime


@pytest.fixture
def job(emulator):
    return emulator.add_job("process")


def asked(emulator):
    """The methods of all requests, in order: POST fetches a token, GET a job."""
    return [each["method"] for each in emulator.requests()["recent"]]


def test_one_token_serves_all_clients_of_the_process(emulator, config, job):
    BatchProcessClient(config).get_request(job)
    BatchProcessClient(config).get_request(job)
    SentinelHubBatch(config).get_request(emulator.add_job("process_v1"))
    SentinelHubBatchStatistical(configuration(emulator)).get_status(emulator.add_job("statistical"))
    assert asked(emulator) == ["POST", "GET", "GET", "GET", "GET"]
    assert {each["user_agent"] for each in emulator.requests()["recent"]} == {f"sentinelhub-py/v{VERSION}"}


@pytest.mark.parametrize(
    ("seconds", "requests"),
    [
        # Two for the first call, then one for each. At 120 s it is chance: oauthlib rounds to whole seconds.
        (119, ["POST", "POST", "GET", "POST", "GET", "POST", "GET"]),
        (300, ["POST", "GET", "GET", "GET"]),  # renewed 120 s before its end
    ],
)
def test_short_lived_tokens(emulator, config, job, seconds, requests):
    emulator.configure(main_token_seconds=seconds)
    client = BatchProcessClient(config)
    for _ in range(3):
        client.get_request(job)
    assert asked(emulator) == requests


def test_tokens_of_the_other_realm(emulator, job):
    BatchProcessClient(configuration(emulator, sh_token_url=emulator.cdse_auth_url)).get_request(job)
    assert emulator.requests()["recent"][0]["path"].startswith("/auth/realms/CDSE/")


def test_secret_and_token_url_do_not_matter_once_there_is_a_token(emulator, config, job):
    """Trap 12 of section 7.2: three clients with different secrets, one token call."""
    BatchProcessClient(config).get_request(job)
    BatchProcessClient(configuration(emulator, sh_client_secret="wrong")).get_request(job)
    BatchProcessClient(configuration(emulator, sh_token_url="http://nowhere.invalid/")).get_request(job)
    assert asked(emulator) == ["POST", "GET", "GET", "GET"]


def test_401_is_final_and_the_useless_token_is_kept(emulator, config, job):
    """Trap 10: a new token would mend it, but is not asked for."""
    client = BatchProcessClient(config)
    client.get_request(job)
    emulator.revoke_tokens()
    for _ in range(2):
        with pytest.raises(sentinelhub.DownloadFailedException, match="You are not authorized") as caught:
            client.get_request(job)
        assert caught.value.request_exception.response.status_code == 401
    assert asked(emulator) == ["POST", "GET", "GET", "GET"]
    forget_tokens()
    client.get_request(job)


def test_the_token_endpoint_out_of_order(emulator, config, job):
    emulator.fault(api="token", status=503, times=None)
    time = LibraryTime(emulator)
    with on_time_of(time), pytest.raises(sentinelhub.DownloadFailedException, match="503"):
        BatchProcessClient(config).get_request(job)
    assert asked(emulator) == ["POST"] * 4
    assert time.pauses == [5, 15, 45]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (None, requests.HTTPError),
        ({"error": {"status": 429, "code": "RATE_LIMIT_EXCEEDED"}}, OAuth2Error),
    ],
)
def test_429_for_the_token_is_not_borne_with(emulator, config, job, body, error):
    emulator.fault(api="token", status=429, retry_after=3398, body=body)
    with pytest.raises(error) as caught:
        BatchProcessClient(config).get_request(job)
    assert not isinstance(caught.value, sentinelhub.DownloadFailedException)
    assert asked(emulator) == ["POST"]


@pytest.mark.parametrize("status", [400, 401])
def test_wrong_credentials(emulator, job, status):
    emulator.configure(invalid_client_status=status)
    client = BatchProcessClient(configuration(emulator, sh_client_secret="wrong"))
    with pytest.raises(InvalidClientError, match="Invalid client or Invalid client credentials"):
        client.get_request(job)


def test_no_credentials(emulator, job):
    client = BatchProcessClient(configuration(emulator, sh_client_id=""))
    with pytest.raises(ValueError, match="have to be set"):
        client.get_request(job)
    assert asked(emulator) == []
