"""An emulator whose time stands still unless a test advances it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
import requests

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.emulator.service_clock import ServiceClock


@pytest.fixture
def service() -> Service:
    """The service without HTTP."""
    return Service(ServiceClock(time=lambda: 0.0))


@pytest.fixture(scope="session")
def _running_emulator() -> Iterator[Emulator]:
    with Emulator(speed=0) as emulator:
        yield emulator


@pytest.fixture
def emulator(_running_emulator: Emulator) -> Emulator:
    """A running emulator; one server serves all tests, each begins with nothing."""
    _running_emulator.reset()
    return _running_emulator


@pytest.fixture
def user_of() -> Iterator[Callable[[Emulator], requests.Session]]:
    """Make a user of an emulator's service, who has a token."""
    with contextlib.ExitStack() as sessions:

        def user_of(emulator: Emulator) -> requests.Session:
            session = sessions.enter_context(requests.Session())
            session.trust_env = False
            secrets = {"client_id": emulator.client_id, "client_secret": emulator.client_secret}
            form = {"grant_type": "client_credentials", **secrets}
            token = session.post(emulator.auth_url, data=form, timeout=60).json()["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            emulator.forget_requests()
            return session

        yield user_of


@pytest.fixture
def user(emulator: Emulator, user_of: Callable[[Emulator], requests.Session]) -> requests.Session:
    """A user of the service who has a token."""
    return user_of(emulator)
