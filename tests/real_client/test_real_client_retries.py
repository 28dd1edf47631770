"""What the real client does when the service stumbles (sentinelhub-api.md, section 3.5)."""

from __future__ import annotations

import json

import pytest
import requests

from tests.real_client.library import BatchProcessClient, configuration, on_time_of, sentinelhub
from tests.real_client.virtual_time import LibraryTime, StillWaiting

PAST = "Wed, 21 Oct 2015 07:28:00 GMT"
rate_limit = sentinelhub.exceptions.SHRateLimitWarning


@pytest.fixture
def job(emulator):
    return emulator.add_job("process", steps=[{"status": "DONE"}])


@pytest.fixture
def time(emulator):
    """What the library slept; it ends an endless call."""
    time = LibraryTime(emulator)
    with on_time_of(time):
        yield time


@pytest.fixture
def get(emulator, config, job, time):
    """Ask for the job once; give how often the service was asked."""

    def get(**changes):
        client = BatchProcessClient(configuration(emulator, **changes))
        try:
            assert client.get_request(job).status.value == "DONE"
        finally:
            get.asked = emulator.requests()["by_path"].get("GET /api/v2/batch/process/{id}", 0)

    return get


TEMPORARY = [{"status": 500}, {"status": 503}, {"kind": "drop"}, {"kind": "cut"}]


@pytest.mark.parametrize("fault", TEMPORARY, ids=str)
def test_three_failures_in_a_row_are_borne_with(emulator, get, time, fault):
    emulator.fault(**fault, method="GET", times=3)
    get()
    assert time.pauses == [5, 15, 45]


@pytest.mark.parametrize("fault", TEMPORARY, ids=str)
def test_the_fourth_is_final(emulator, get, time, fault):
    emulator.fault(**fault, method="GET", times=4)
    with pytest.raises(sentinelhub.DownloadFailedException):
        get()
    assert time.pauses == [5, 15, 45], "65 seconds of outage"


def test_no_answer(emulator, get, time, monkeypatch):
    emulator.fault("hang", method="GET", times=2)
    send, timeouts = requests.Session.request, iter([0.2, 0.2])

    def request(session, *given, **keywords):
        # The library waits as long for the answer that comes; a busy machine may need more than that.
        if keywords.get("timeout") is not None:
            assert keywords["timeout"] == 0.2
            keywords["timeout"] = next(timeouts, 60)
        return send(session, *given, **keywords)

    monkeypatch.setattr(requests.Session, "request", request)
    get(download_timeout_seconds=0.2)
    assert next(timeouts, None) is None
    assert time.pauses == [5, 15]


def test_tries_and_pauses_are_in_the_configuration(emulator, get, time):
    emulator.fault(status=503, method="GET", times=None)
    with pytest.raises(sentinelhub.DownloadFailedException):
        get(max_download_attempts=2, download_sleep_time=1)
    assert time.pauses == [1]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 418])
@pytest.mark.parametrize("shape", ["wrapped", "none"])
def test_other_refusals_are_final_at_once(emulator, get, time, status, shape):
    emulator.fault(status=status, shape=shape, method="GET")
    with pytest.raises(sentinelhub.DownloadFailedException) as caught:
        get()
    assert caught.value.request_exception.response.status_code == status
    assert (get.asked, time.pauses) == (1, [])


@pytest.mark.parametrize("shape", ["flat", "wrapped"])
@pytest.mark.parametrize(
    ("retry_after", "slept"),
    [
        ("3398", 3.398),  # milliseconds
        ("60", 0.06),  # seconds as the standard has it: taken for milliseconds
        (None, 30),
        ("0", None),  # at once
        ("86400000", 86_400),  # a day: nothing is too long
    ],
)
def test_429_is_waited_for(emulator, get, time, shape, retry_after, slept):
    emulator.fault(status=429, retry_after=retry_after, shape=shape, method="GET")
    with pytest.warns(rate_limit):
        get()
    # The request counts for the spacing of 0.05 s.
    assert time.slept == [pytest.approx(0.05 if slept is None else max(slept, 0.05))]
    assert get.asked == 2


@pytest.mark.parametrize("retry_after", ["3.4", PAST, "soon", ""])
def test_429_with_anything_but_a_whole_number_crashes(emulator, get, retry_after):
    emulator.fault(status=429, retry_after=retry_after, method="GET")
    with pytest.warns(rate_limit), pytest.raises(ValueError, match="invalid literal for int"):
        get()


def test_429_is_waited_for_without_end(emulator, get):
    emulator.fault(status=429, retry_after=3398, method="GET", times=None)
    with pytest.warns(rate_limit), pytest.raises(StillWaiting):
        get()
    assert get.asked > 30


@pytest.mark.parametrize("tries", [1, 3])
def test_429_has_an_end_with_max_retries(emulator, get, tries):
    emulator.fault(status=429, retry_after=3398, method="GET", times=None)
    with pytest.warns(rate_limit), pytest.raises(sentinelhub.exceptions.OutOfRequestsException):
        get(max_retries=tries)
    assert get.asked == tries


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "html"}, json.JSONDecodeError),
        ({"kind": "truncated"}, json.JSONDecodeError),
        ({"kind": "empty"}, sentinelhub.exceptions.MissingDataInRequestException),
        ({"status": 200, "body": []}, sentinelhub.exceptions.MissingDataInRequestException),
    ],
    ids=str,
)
def test_an_answer_that_is_no_job_is_final(emulator, get, time, fault, error):
    emulator.fault(**fault, method="GET")
    with pytest.raises(error):
        get()
    assert (get.asked, time.pauses) == (1, [])


def test_other_exceptions_of_requests_come_through(emulator, get, job):
    emulator.fault("redirect", location=f"{emulator.url}/api/v2/batch/process/{job}", method="GET", times=None)
    with pytest.raises(requests.TooManyRedirects):
        get()
