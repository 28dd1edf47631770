"""Events are safe when Airflow has stored them, and only then."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tests.harness.versions import needs_airflow

pytestmark = needs_airflow("3.3", "has shared streams with a producer")

CLEAN, DIRTY = SimpleNamespace(is_clean=True), SimpleNamespace(is_clean=False)
EVENTS = [{"id": "1"}]


@pytest.fixture
def acknowledger():
    from airflow_sentinelhub.triggers.event_ack import EventAcknowledger

    return EventAcknowledger()


def hand_over(acknowledger, *outcomes):
    """Hand over events in a loop of their own; every outcome is reported for them, in order."""

    async def scene():
        stream = acknowledger.open_stream()
        assert await anext(stream) == (acknowledger, None)
        handing = asyncio.create_task(acknowledger.hand_over(EVENTS))
        events, stored = await anext(stream)
        assert events is EVENTS
        assert not handing.done()
        for outcome in outcomes:
            await acknowledger.advance([(None, CLEAN), (stored, outcome)])
        await handing

    asyncio.run(scene())


def test_it_returns_when_they_are_stored(acknowledger):
    hand_over(acknowledger, CLEAN)


def test_what_may_not_be_stored_is_an_error(acknowledger):
    from airflow_sentinelhub.triggers.event_ack import EventNotStored

    with pytest.raises(EventNotStored):
        hand_over(acknowledger, DIRTY)


def test_the_first_report_counts(acknowledger):
    hand_over(acknowledger, CLEAN, DIRTY)
