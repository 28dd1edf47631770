"""Nobody of an account asks before its time."""

from __future__ import annotations

from airflow_sentinelhub.client.gate import Gate, GateKey

ACCOUNT = GateKey("id", "https://id.example/token")
OTHER = GateKey("other", "https://id.example/token")


def test_open_until_closed_and_again_when_the_time_is_over() -> None:
    gate = Gate()
    assert gate.admit(ACCOUNT, 100.0) == 0
    gate.close(ACCOUNT, 3.0, 100.0)
    assert [gate.admit(ACCOUNT, now) for now in (100.0, 102.0, 103.0)] == [3.0, 1.0, 0.0]


def test_a_shorter_closure_does_not_open_a_longer_one() -> None:
    gate = Gate()
    gate.close(ACCOUNT, 30.0, 100.0)
    gate.close(ACCOUNT, 1.0, 100.0)
    assert gate.admit(ACCOUNT, 100.0) == 30.0


def test_accounts_and_kinds_of_requests_are_apart() -> None:
    gate = Gate()
    gate.close(ACCOUNT, 30.0, 100.0)
    assert gate.admit(OTHER, 100.0) == 0
    assert gate.admit(ACCOUNT._replace(token_requests=True), 100.0) == 0


def test_rounding_does_not_keep_it_closed() -> None:
    gate = Gate()
    gate.close(ACCOUNT, 3.0, 100.0)
    assert gate.admit(ACCOUNT, 103.0 - 1e-9) == 0


def test_it_does_not_grow() -> None:
    gate = Gate()
    for number in range(100):
        gate.close(GateKey(str(number), ""), 1.0, float(2 * number))
    assert len(gate) == 1
    gate.admit(GateKey("99", ""), 1000.0)
    assert len(gate) == 0
