"""
Checks every answer of every emulator of this process while the tests run.

A test fails if an emulator sent something during it that a document does not describe. The project's own document
is always there; Sentinel Hub's is compared as well where ``SENTINELHUB_OPENAPI`` names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_sentinelhub.emulator.response_recorder import RecordedResponse, observe
from tests.harness.openapi_check import OpenApiCheck, own_check
from tests.harness.openapi_official import is_at_hand, official_check

_WORKER_OUTPUT = "emulator_answers"


def checks() -> dict[str, OpenApiCheck]:
    """The documents that answers are compared with, by name."""
    return {"the project's schemas": own_check()} | (
        {"Sentinel Hub's document": official_check()} if is_at_hand() else {}
    )


class Recorder:
    """
    Looks at answers, and keeps what is wrong with them until a test is over.

    :param checks: what they are compared with, by name.
    """

    def __init__(self, checks: Mapping[str, OpenApiCheck]) -> None:
        self._checks = checks
        self._wrong: list[str] = []
        self.counts = Counter[str]()

    def __call__(self, answer: RecordedResponse) -> None:
        """Look at an answer, in the thread of the server that is about to send it."""
        described = False
        for name, check in self._checks.items():
            try:
                wrong = check.violations(answer)
            except Exception as error:  # the server must not be what suffers from a mistake in here
                wrong = [f"{answer.method} {answer.path} could not be checked: {error!r}"]
            described |= wrong is not None
            self._wrong += [f"by {name}: {each}" for each in wrong or ()]
        self.counts["scripted" if answer.scripted else "checked" if described else "not described"] += 1

    def take(self) -> list[str]:
        """What was wrong since the last time."""
        wrong, self._wrong = self._wrong, []
        return wrong


_RECORDER = pytest.StashKey[Recorder]()
_COUNTS = pytest.StashKey[Counter[str]]()


@pytest.fixture(scope="session", autouse=True)
def observed_answers(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """Every answer of the session, also those between two tests."""
    recorder = request.config.stash[_RECORDER] = Recorder(checks())
    with observe(recorder):
        yield recorder


@pytest.fixture(autouse=True)
def answers_follow_the_api_reference(observed_answers: Recorder) -> Iterator[None]:
    """Fail if one of them did not."""
    yield
    if wrong := observed_answers.take():
        found = "\n".join(wrong[:20])
        pytest.fail(f"The emulator sent what the API reference does not have:\n{found}", pytrace=False)


def collect_counts(config: pytest.Config) -> Counter[str]:
    """What this process has checked, and what its workers have told."""
    recorder = config.stash.get(_RECORDER, None)
    return config.stash.get(_COUNTS, Counter[str]()) + (recorder.counts if recorder else Counter())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this one, if there is one."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_WORKER_OUTPUT] = dict(collect_counts(session.config))


class WorkerCounts:
    """A plugin for the process that starts workers (pytest-xdist)."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Add what a worker has checked."""
        told = Counter[str](getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT, {}))
        self._config.stash[_COUNTS] = self._config.stash.get(_COUNTS, Counter[str]()) + told
