"""Whatever is sent to the emulator, it answers as the service would, and goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.settings import Settings
from airflow_sentinelhub.jobs import BatchApi
from tests.harness.answer_recorder import Recorder

JSON = {"Content-Type": "application/json"}
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2**63, 2**64, 10**400, 1e308, -1e308, float("nan"), float("inf"), -0.5, True]),
    st.integers(-(10**12), 10**12),
    st.floats(),
)
TEXTS = st.one_of(
    st.sampled_from(
        ["", "\0", "\ud800", "cut \ud83d", "../x", "DONE", "CREATED", "s3://[x", "file:///etc/x", "\r\nX: y"]
    ),
    st.text(st.characters(), max_size=8),
)
VALUES = st.recursive(
    st.one_of(st.none(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
STEPS = st.lists(
    st.fixed_dictionaries(
        {"status": TEXTS},
        optional={
            **dict.fromkeys(("seconds", "completionPercentage", "cost", "tiles"), VALUES),
            **dict.fromkeys(("remove", "gone", "error", "request"), VALUES),
        },
    ),
    max_size=3,
)
SCENARIOS = st.dictionaries(
    st.sampled_from(
        [
            *("queued_seconds", "analysis_seconds", "ready_seconds", "processing_seconds", "fails_in_analysis"),
            *("end", "error", "stopped_reason", "completion_percentage", "cost", "tile_count", "failed_tiles"),
            *("tile_errors", "no_data_tiles", "partial_tiles", "then", "steps"),
        ]
    ),
    st.one_of(VALUES, STEPS),
    max_size=3,
)
APIS = st.one_of(st.sampled_from([*BatchApi]), VALUES)


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    yield above
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(each, (*above, name))


@st.composite
def requests_with_an_odd_part(draw: st.DrawFn, api: BatchApi) -> Any:
    """The sample request, with one of its parts replaced, removed or added to."""
    body = json.loads(json.dumps(sample_request(api)))
    path = draw(st.sampled_from([*paths(body)]))
    odd = draw(VALUES)
    if not path:
        return draw(st.sampled_from([odd, {**body, "description": odd}, {**body, "output": odd}]))
    holder = body
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = odd
    return body


CONTROL: dict[str, st.SearchStrategy[Any]] = {
    "POST /jobs": st.fixed_dictionaries(
        {"api": APIS},
        optional={
            "scenario": st.one_of(SCENARIOS, VALUES),
            "steps": st.one_of(STEPS, VALUES),
            **dict.fromkeys(("status", "user_action", "request", "description", "job_id", "age"), VALUES),
        },
    ),
    "POST /foreign-jobs": st.fixed_dictionaries(
        {"api": APIS}, optional={"count": st.one_of(st.integers(-1, 3), VALUES), "age": VALUES, "every": VALUES}
    ),
    "PUT /scenario": SCENARIOS,
    "POST /next-scenario": st.fixed_dictionaries(
        {}, optional={"scenario": SCENARIOS, "steps": STEPS, "api": APIS}
    ),
    "POST /clock": st.fixed_dictionaries({}, optional={"advance": NUMBERS, "speed": NUMBERS}),
    "PATCH /settings": st.dictionaries(st.sampled_from(sorted(Settings().public())), VALUES, max_size=2).map(
        # What would make the test itself wait, or lose its token.
        lambda given: {name: value for name, value in given.items() if name not in ("answer_seconds", "client_id")}
    ),
}


@pytest.fixture
def refreshed(user_of: Callable[[Emulator], requests.Session]) -> Iterator[tuple[Emulator, requests.Session]]:
    """An emulator of its own, as its clock is advanced for good, and a user with a token."""
    with Emulator(speed=0) as emulator:
        yield emulator, user_of(emulator)


def forget(emulator: Emulator) -> None:
    """Begin anew without losing the token."""
    with emulator.service.lock:
        tokens = emulator.service.tokens
        emulator.service.reset()
        emulator.service.tokens = tokens


def goes_on(emulator: Emulator, user: requests.Session, observed: Recorder) -> None:
    """Lists of all three APIs and of the control interface are answered, and single jobs."""
    emulator.configure(requests_per_minute=None)
    for api in BatchApi:
        assert user.get(f"{emulator.url}{api.path()}?sort=status:desc", timeout=60).status_code == 200
    for job in emulator.service.jobs.all()[:3]:
        answer = user.get(f"{emulator.url}{job.api.path()}/{job.id}", timeout=60)
        assert answer.status_code in (200, 404)
    assert requests.get(f"{emulator.url}/_emulator/jobs", timeout=60).status_code == 200
    # A request that nobody would send is echoed as it is, so that only statuses are compared.
    assert [each for each in observed.take() if " gave 5" in each] == []


BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("api", BatchApi)
@BOUNDED
@given(data=st.data())
def test_odd_requests(
    refreshed: tuple[Emulator, requests.Session], observed_answers: Recorder, api: BatchApi, data: st.DataObject
) -> None:
    emulator, user = refreshed
    forget(emulator)
    made = emulator.add_job(api, status="CREATED")
    body = json.dumps(data.draw(requests_with_an_odd_part(api))).encode()
    url = emulator.url + api.path()
    answers = [
        user.post(url, data=body, headers=JSON, timeout=60),
        user.put(f"{url}/{made}", data=body, headers=JSON, timeout=60),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201, 400, 405)
        if answer.status_code >= 400:
            assert answer.json()["error"]["status"] == answer.status_code
    emulator.advance(data.draw(st.sampled_from([0, 31, 200, 10**6])))
    goes_on(emulator, user, observed_answers)


@pytest.mark.parametrize("what", CONTROL)
@BOUNDED
@given(data=st.data())
def test_odd_orders(
    refreshed: tuple[Emulator, requests.Session], observed_answers: Recorder, what: str, data: st.DataObject
) -> None:
    emulator, user = refreshed
    forget(emulator)
    method, path = what.split()
    body = json.dumps(data.draw(CONTROL[what])).encode()
    answer = requests.request(method, f"{emulator.url}/_emulator{path}", data=body, headers=JSON, timeout=60)
    assert answer.status_code in (200, 201, 400)
    if answer.status_code == 400:
        assert set(answer.json()) == {"error"}
    api = data.draw(st.sampled_from(BatchApi))
    made = user.post(emulator.url + api.path(), json=sample_request(api), timeout=60)
    assert made.status_code in (201, 403, 429)
    emulator.advance(data.draw(st.sampled_from([0, 31, 200, 10**6])))
    goes_on(emulator, user, observed_answers)
