"""Everything that can become of a job must be expressible."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.jobs import BatchApi

PROCESS, STATISTICAL, V1 = "process", "statistical", "process_v1"
WHOLE_LIFE = 30 + 60 + 20 + 600


@pytest.fixture
def idle() -> Emulator:
    """An emulator that is not even started: time stands still."""
    return Emulator(speed=0)


@pytest.mark.parametrize(
    ("api", "scenario", "expected"),
    [
        (PROCESS, {}, {"status": "DONE", "completionPercentage": 100, "costPU": 250.0}),
        (PROCESS, {"completion_percentage": 97}, {"status": "DONE", "completionPercentage": 97}),
        (PROCESS, {"end": "FAILED", "error": "Boom"}, {"status": "FAILED", "error": "Boom"}),
        (PROCESS, {"end": "FAILED", "error": None}, {"status": "FAILED", "error": "ABSENT"}),
        (PROCESS, {"end": "STOPPED"}, {"stoppedStatusReason": "USER_ACTION", "userAction": "STOP"}),
        (PROCESS, {"end": "STOPPED", "stopped_reason": "OUT_OF_PU", "completion_percentage": 40},
         {"stoppedStatusReason": "OUT_OF_PU", "userAction": "START", "completionPercentage": 40}),
        (STATISTICAL, {"end": "STOPPED", "stopped_reason": "UNHEALTHY"}, {"stoppedStatusReason": "UNHEALTHY"}),
        (STATISTICAL, {"end": "STOPPED", "stopped_reason": "NEW_WORD"}, {"stoppedStatusReason": "NEW_WORD"}),
        (STATISTICAL, {"end": "PARTIAL"}, {"status": "PARTIAL", "completionPercentage": 100}),
        (PROCESS, {"then": [{"status": "FUTURE_WORD"}]}, {"status": "FUTURE_WORD"}),
        (V1, {}, {"status": "DONE", "valueEstimate": 250.0, "completionPercentage": "ABSENT", "costPU": "ABSENT"}),
        (V1, {"failed_tiles": 3}, {"status": "PARTIAL", "error": "Too many failed tiles"}),
        (V1, {"failed_tiles": 12}, {"status": "FAILED"}),
        (V1, {"end": "CANCELED"}, {"status": "CANCELED"}),
    ],
)  # fmt: skip
def test_how_a_job_ends(idle: Emulator, api: str, scenario: dict[str, Any], expected: dict[str, Any]) -> None:
    job = idle.add_job(api, scenario=scenario)
    idle.advance(WHOLE_LIFE)
    shown = idle.job(job)
    assert {name: shown.get(name, "ABSENT") for name in expected} == expected


@pytest.mark.parametrize(
    ("scenario", "course"),
    [
        ({"queued_seconds": 500}, [(499, "CREATED"), (1, "ANALYSING")]),
        ({"analysis_seconds": 500}, [(30, "ANALYSING"), (499, "ANALYSING"), (1, "ANALYSIS_DONE")]),
        ({"ready_seconds": 500}, [(90, "ANALYSIS_DONE"), (499, "ANALYSIS_DONE"), (1, "PROCESSING")]),
        ({"processing_seconds": 5}, [(110, "PROCESSING"), (4, "PROCESSING"), (1, "DONE")]),
        (
            {"then": [{"status": "PARTIAL", "seconds": 60}, {"status": "DONE"}]},
            [(WHOLE_LIFE, "PARTIAL"), (60, "DONE")],
        ),
        (
            {"then": [{"status": "DONE", "seconds": 60}, {"gone": True}]},
            [(WHOLE_LIFE, "DONE")],
        ),
        (
            {
                "completion_percentage": 40,
                "then": [
                    {"status": "STOPPED", "stoppedStatusReason": "UNHEALTHY", "seconds": 300},
                    {"status": "PROCESSING", "seconds": 100},
                    {"status": "DONE"},
                ],
            },
            [(WHOLE_LIFE, "STOPPED"), (300, "PROCESSING"), (100, "DONE")],
        ),
    ],
)
def test_how_long_it_takes(idle: Emulator, scenario: dict[str, Any], course: list[tuple[float, str]]) -> None:
    job = idle.add_job(PROCESS, scenario=scenario)
    for seconds, expected in course:
        idle.advance(seconds)
        assert idle.job(job)["status"] == expected


@pytest.mark.parametrize("api", [PROCESS, STATISTICAL])
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            {"status": "PROCESSING", "completionPercentage": 100},
            {"status": "PROCESSING", "completionPercentage": 100},
        ),
        ({"status": "DONE", "completionPercentage": 97.5}, {"status": "DONE", "completionPercentage": 97.5}),
        ({"status": "DONE", "remove": ["domainAccountId"]}, {"domainAccountId": "ABSENT"}),
        ({"status": "DONE", "completionPercentage": None}, {"completionPercentage": None}),
        ({"status": "DONE", "surprise": {"x": 1}}, {"surprise": {"x": 1}}),
        ({"status": "PROCESSING", "userAction": "NONE"}, {"userAction": "NONE"}),
        ({"status": "FUTURE_WORD", "error": "?"}, {"status": "FUTURE_WORD", "error": "?"}),
    ],
)
def test_a_step_can_say_anything(idle: Emulator, api: str, step: dict[str, Any], expected: dict[str, Any]) -> None:
    shown = idle.job(idle.add_job(api, steps=[step]))
    assert {name: shown.get(name, "ABSENT") for name in expected} == expected


def test_steps_follow_each_other_and_the_last_one_stays(idle: Emulator) -> None:
    job = idle.add_job(
        PROCESS,
        steps=[
            {"status": "PROCESSING", "seconds": 60, "completionPercentage": [10, 40], "cost": 7},
            {"status": "PROCESSING", "seconds": 60},
            {"status": "FUTURE_WORD", "seconds": 1},
        ],
    )
    seen = []
    for _ in range(6):
        shown = idle.job(job)
        seen.append((shown["status"], shown["completionPercentage"], shown["costPU"]))
        idle.advance(30)
    assert seen == [
        ("PROCESSING", 10, 7.0),
        ("PROCESSING", 25, 7.0),
        ("PROCESSING", 40, 100.0),
        ("PROCESSING", 70, 175.0),
        ("FUTURE_WORD", 100, 250.0),
        ("FUTURE_WORD", 100, 250.0),
    ]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"scenario": {"ends": "DONE"}}, "no ends; it has analysis_seconds"),
        ({"scenario": {"end": "EXPLODED"}}, "does not end in 'EXPLODED'"),
        ({"scenario": {"processing_seconds": -1}}, "processing_seconds"),
        ({"scenario": {"tile_count": 2, "failed_tiles": 3}}, "3 of 2 tiles"),
        ({"steps": []}, "at least one step"),
        ({"steps": [{"status": "DONE"}, {"status": "FAILED"}]}, "only the last step stays for ever"),
        ({"steps": [{"seconds": 3}]}, "needs a .status."),
        ({"steps": [{"status": "DONE", "completionPercentage": "all"}]}, "number or .from, to."),
        ({"status": "DONE", "steps": [{"status": "DONE"}]}, "not both"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(idle: Emulator, wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        idle.add_job(PROCESS, **wrong)


@pytest.mark.parametrize(
    ("status", "action", "after_a_day"),
    [
        (None, "START", "DONE"),
        ("CREATED", "NONE", "CREATED"),
        ("ANALYSING", "ANALYSE", "ANALYSIS_DONE"),
        ("ANALYSIS_DONE", "ANALYSE", "ANALYSIS_DONE"),
        ("PROCESSING", "START", "DONE"),
        ("DONE", "START", "DONE"),
        ("FAILED", "START", "FAILED"),
        ("STOPPED", "STOP", "STOPPED"),
        ("FUTURE_WORD", "START", "FUTURE_WORD"),
    ],
)
def test_a_job_can_be_put_into_any_state(
    idle: Emulator, status: str | None, action: str, after_a_day: str
) -> None:
    job = idle.add_job(PROCESS, status=status)
    assert (idle.job(job)["status"], idle.job(job)["userAction"]) == (status or "CREATED", action)
    idle.advance(86_400)
    assert idle.job(job)["status"] == after_a_day


def test_a_queued_job_differs_from_one_that_nobody_started_by_its_action_alone(idle: Emulator) -> None:
    job = idle.add_job(PROCESS, status="ANALYSIS_DONE", user_action="START")
    assert idle.job(job)["status"] == "ANALYSIS_DONE"
    idle.advance(20)
    assert idle.job(job)["status"] == "PROCESSING"


def test_a_scenario_can_change_on_the_way_without_going_backwards(idle: Emulator) -> None:
    job = idle.add_job(PROCESS, status="PROCESSING")
    idle.advance(300)
    idle.set_scenario(job, {"processing_seconds": 6000, "end": "FAILED", "completion_percentage": 60})
    assert (idle.job(job)["status"], idle.job(job)["completionPercentage"]) == ("PROCESSING", 50)
    idle.advance(999)
    assert idle.job(job)["completionPercentage"] == 59
    idle.advance(1)
    assert idle.job(job)["status"] == "FAILED"


def test_a_job_that_is_being_processed_cannot_fail_in_its_analysis_any_more(idle: Emulator) -> None:
    job = idle.add_job(PROCESS, status="PROCESSING")
    idle.set_scenario(job, {"fails_in_analysis": True})
    idle.advance(600)
    assert idle.job(job)["status"] == "DONE"


def test_the_scenario_of_a_finished_job_is_settled_unless_its_steps_are_laid_down(idle: Emulator) -> None:
    job = idle.add_job(PROCESS, status="DONE")
    with pytest.raises(ValueError, match="settled"):
        idle.set_scenario(job, {"end": "FAILED"})
    idle.set_scenario(job, steps=[{"gone": True}])
    with pytest.raises(ValueError, match=job):
        idle.set_scenario("no-" + job, {})


@pytest.mark.parametrize(
    ("given", "then", "expected"),
    [
        ({"status": "STOPPED"}, None, "DONE"),
        ({"status": "STOPPED", "scenario": {"end": "FAILED"}}, None, "FAILED"),
        ({"status": "STOPPED"}, {"end": "FAILED"}, "FAILED"),
        ({"scenario": {"end": "STOPPED", "stopped_reason": "OUT_OF_PU"}}, None, "DONE"),
        ({"steps": [{"status": "STOPPED"}]}, None, "DONE"),
    ],
)
def test_what_becomes_of_a_restarted_job(
    idle: Emulator, given: dict[str, Any], then: dict[str, Any] | None, expected: str
) -> None:
    job = idle.add_job(PROCESS, **given)
    idle.advance(WHOLE_LIFE)
    assert idle.job(job)["status"] == "STOPPED"
    if then:
        idle.set_scenario(job, then)
    idle.advance(3600)
    idle.service.act(BatchApi.PROCESS, job, "start")
    idle.advance(20 + 600)
    assert idle.job(job)["status"] == expected


def test_actions_do_not_disturb_laid_down_steps_except_a_stop(idle: Emulator) -> None:
    job = idle.add_job(
        PROCESS, user_action="NONE", steps=[{"status": "CREATED", "seconds": 900}, {"status": "DONE"}]
    )
    idle.service.act(BatchApi.PROCESS, job, "start")
    idle.advance(899)
    assert (idle.job(job)["status"], idle.job(job)["userAction"]) == ("CREATED", "START")

    job = idle.add_job(PROCESS, steps=[{"status": "PROCESSING", "seconds": 900}, {"status": "DONE"}])
    idle.service.act(BatchApi.PROCESS, job, "stop")
    idle.advance(901)
    assert idle.job(job)["status"] == "STOPPED"
