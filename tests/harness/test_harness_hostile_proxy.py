"""The server that answers what the emulator cannot send."""

from __future__ import annotations

import pytest
import requests

from airflow_sentinelhub.emulator import Emulator
from tests.harness.hostile_proxy import HostileProxy, body, drip, gzip_bomb


@pytest.fixture(scope="module")
def proxy():
    with Emulator(speed=1) as emulator, HostileProxy(emulator.url) as proxy:
        yield proxy


def test_other_requests_are_answered_by_the_emulator(proxy):
    answer = requests.get(f"{proxy.url}/no/such/place", timeout=60)
    assert answer.status_code == 404
    assert "error" in answer.json()


def test_a_chosen_path_gets_its_answer(proxy):
    proxy.answers["/odd"] = body(b"\xff\xfe", 500)
    answer = requests.get(f"{proxy.url}/odd?a=1", timeout=60)
    assert (answer.status_code, answer.content) == (500, b"\xff\xfe")
    assert "/odd" in proxy.hits


def test_a_bomb_is_short_on_the_wire(proxy):
    proxy.answers["/bomb"] = gzip_bomb(2**26)
    with requests.get(f"{proxy.url}/bomb", stream=True, timeout=60) as answer:
        assert len(answer.raw.read(decode_content=False)) < 2**17
    assert len(requests.get(f"{proxy.url}/bomb", timeout=60).content) == 2**26


def test_a_drip_comes_byte_by_byte(proxy):
    proxy.answers["/drip"] = drip(0.01)
    with requests.get(f"{proxy.url}/drip", stream=True, timeout=60) as answer:
        assert answer.raw.read(3) == b"   "
