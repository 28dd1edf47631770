"""One wait: its log, its pauses, its end. No clock but the one given, no I/O."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_sentinelhub.exceptions import Forbidden, InvalidCredentials, RateLimited, ServiceUnavailable
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    Deadlines,
    MissingJob,
    Outcome,
    Verdict,
    WaitGoal,
    WaitPolicy,
)
from airflow_sentinelhub.waits.progress_log import verdict_line
from airflow_sentinelhub.waits.wait import Wait, WaitSpec

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
T0 = 1_800_000_000.0  # 2027-01-15 08:00 UTC


class Scene:
    """Drives a wait and keeps its log."""

    def __init__(
        self, api=BatchApi.PROCESS, goal=WaitGoal.COMPLETION, *, lasts=7 * 86_400.0, stored=None, **policy
    ):
        self.api = api
        self.lines: list[str] = []
        self.levels: list[int] = []
        policy = WaitPolicy(**{"poke_interval": 120.0, "analysis_poke_interval": 10.0, **policy})
        terms = WaitSpec(api, JOB_ID, goal, policy, Deadlines(T0, T0 + lasts))
        self.wait = Wait(terms, self.say, stored=stored, jitter=lambda: 1.0)

    def say(self, level, text):
        self.levels.append(level)
        self.lines.append(text)

    def update(self, at, look):
        """Look and return the outcome and the lines that it gave."""
        before = len(self.lines)
        verdict = self.wait.update(look, T0 + at)
        if verdict.is_final:
            verdict = self.wait.finish(verdict, T0 + at)
        return verdict.outcome, self.lines[before:]

    def job(self, status, action="START", *, light=False, **fields):
        payload = {"id": JOB_ID, "status": status, "created": "2026-01-01T00:00:00Z", **fields}
        payload |= {} if light else {"userAction": action}
        return BatchJob.from_payload(self.api, payload, status_only=light)


def test_the_story_of_a_job():
    scene = Scene()
    for at, status, fields in [
        (0, "CREATED", {}),
        (10, "CREATED", {}),
        (20, "ANALYSING", {}),
        (30, "ANALYSIS_DONE", {}),
        (150, "PROCESSING", {"completionPercentage": 0, "costPU": 0}),
        (270, "PROCESSING", {"completionPercentage": 2, "costPU": 10.4}),
        (390, "PROCESSING", {"completionPercentage": 6, "costPU": 30}),
        (510, "PROCESSING", {"completionPercentage": 8, "costPU": 40}),
        (1350, "PROCESSING", {"completionPercentage": 42, "costPU": 3118.4}),
        (1470, "PROCESSING", {"completionPercentage": 42, "costPU": 3118.4}),
        (1950, "PROCESSING", {"completionPercentage": 42.4, "costPU": 3118.4}),
        (5000, "DONE", {"completionPercentage": 100, "costPU": 9006.9}),
    ]:
        scene.update(at, scene.job(status, **fields))
    assert scene.lines == [
        "CREATED, START was asked for (Batch Process 6aa8765a)",
        "ANALYSING (Batch Process 6aa8765a)",
        "ANALYSIS_DONE (Batch Process 6aa8765a)",
        "PROCESSING 0 % (Batch Process 6aa8765a)",
        "PROCESSING 6 %, 30 PU, 1.5 %/min, about 63 min left (Batch Process 6aa8765a)",
        "PROCESSING 42 %, 3,118 PU, 2.1 %/min, about 28 min left (Batch Process 6aa8765a)",
        "PROCESSING 42 %, 3,118 PU, 1.4 %/min, about 41 min left (Batch Process 6aa8765a)",
        f"DONE, 9,007 PU, waited 83 min (Batch Process {JOB_ID})",
    ]
    assert set(scene.levels) == {logging.INFO}


def test_a_start_is_told_even_though_the_status_stays():
    scene = Scene()
    scene.update(0, scene.job("CREATED", "ANALYSE"))
    assert scene.update(10, scene.job("CREATED", "START"))[1] == [
        "CREATED, START was asked for (Batch Process 6aa8765a)"
    ]


@pytest.mark.parametrize(
    ("between", "afterwards"),
    [(("STOPPED", {}), 50), (("PROCESSING", {"completionPercentage": 10}), 10)],
    ids=["stopped and started again", "set back"],
)
def test_the_rate_is_taken_from_where_processing_began_anew(between, afterwards):
    scene = Scene()
    scene.update(0, scene.job("PROCESSING", completionPercentage=40))
    status, fields = between
    scene.update(600, scene.job(status, **fields))
    scene.update(600, scene.job("PROCESSING", completionPercentage=afterwards))
    line = scene.update(1200, scene.job("PROCESSING", completionPercentage=afterwards + 30))[1][-1]
    assert "3 %/min" in line


def test_without_progress_there_is_no_rate():
    scene = Scene()
    scene.update(0, scene.job("PROCESSING", completionPercentage=40))
    assert scene.update(600, scene.job("PROCESSING", completionPercentage=40))[1] == [
        "PROCESSING 40 % (Batch Process 6aa8765a)"
    ]


def test_a_warning_is_a_sign_of_life():
    scene = Scene()
    scene.update(0, scene.job("PROCESSING"))
    assert len(scene.update(590, MissingJob(BatchApi.PROCESS, JOB_ID))[1]) == 1
    assert scene.update(600, scene.job("PROCESSING"))[1] == []


def test_the_end_is_told_once():
    scene = Scene()
    assert len(scene.update(0, InvalidCredentials("The secret is wrong."))[1]) == 1


def test_an_accepted_partial_job_is_told_with_and_without_a_duration():
    scene = Scene(allow_partial=True)
    verdict = [scene.wait.update(scene.job("PARTIAL"), T0 + at) for at in (0, 120)][-1]
    assert verdict_line(verdict) == f"PARTIAL, which is accepted (Batch Process {JOB_ID})"
    assert verdict_line(verdict, 120) == f"PARTIAL, which is accepted, waited 2 min (Batch Process {JOB_ID})"


def test_the_duration_of_the_verdict_counts_wherever_it_is_told_again():
    scene = Scene()
    verdict = scene.wait.finish(scene.wait.update(scene.job("DONE"), T0 + 43), T0 + 43)
    again = Verdict.from_json(json.loads(json.dumps(verdict.to_json())))
    assert verdict_line(again, 45.0) == f"DONE, waited 43 s (Batch Process {JOB_ID})"


@pytest.mark.parametrize("where", ["request", "job"])
def test_lines_and_verdict_say_what_the_user_calls_the_job(where):
    tag = "[airflow dag=a run=b task=c map=-1 at=d request=e0]"
    told = {"description": f"NDVI of Corsica, with a text that is longer than anybody reads {tag}"}
    scene = Scene()
    fields = {"request": told} if where == "request" else told
    scene.update(0, scene.job("PROCESSING", completionPercentage=40, **fields))
    verdict = scene.wait.update(scene.job("DONE", costPU=250, **fields), T0 + 43)
    again = Verdict.from_json(json.loads(json.dumps(verdict.to_json())))
    name = "NDVI of Corsica, with a text that is ..."
    assert scene.lines == [f"PROCESSING 40 % ({name}, 6aa8765a)"]
    assert verdict_line(again) == f"DONE, 250 PU ({name}, Batch Process {JOB_ID})"


def test_an_outage_is_waited_for_until_the_deadline_at_most():
    scene = Scene(lasts=1800)
    scene.update(0, scene.job("PROCESSING"))
    assert "until 08:30 UTC at most" in scene.update(120, ServiceUnavailable("503"))[1][0]


def test_a_failure_is_told_as_an_error():
    scene = Scene()
    outcome, lines = scene.update(0, scene.job("FAILED", error="Evalscript broken"))
    assert outcome is Outcome.FAILED
    assert "Evalscript broken" in lines[-1]
    assert scene.levels[-1] == logging.ERROR


def test_the_story_of_an_outage():
    scene = Scene(outage_tolerance=3600)
    scene.update(0, scene.job("PROCESSING"))
    trouble = ServiceUnavailable("The service answers 503")
    said = {at: scene.update(at, trouble)[1] for at in range(120, 1500, 60)}
    assert said.pop(120) == [
        "Not seen for the moment, waiting on until 09:02 UTC at most (Batch Process 6aa8765a)\n"
        "The service answers 503."
    ]
    assert said.pop(720) == [
        "Not seen for 10 min now, waiting on until 09:02 UTC at most (Batch Process 6aa8765a)\n"
        "The service answers 503."
    ]
    assert len(said.pop(1320)) == 1
    assert not any(said.values())
    assert scene.update(1500, scene.job("PROCESSING"))[1][0] == (
        "The service answers again, after 23 min (Batch Process 6aa8765a)"
    )


def test_a_refusal_is_told_once_and_counts_when_repeated():
    scene = Scene()
    scene.update(0, scene.job("PROCESSING"))
    outcome, lines = scene.update(120, Forbidden("No batch plan."))
    assert outcome is Outcome.WAITING
    assert lines == [
        "Not seen for the moment (Batch Process 6aa8765a)\n"
        "No batch plan.\nIt is asked once more before this counts."
    ]
    assert scene.wait.awaits_confirmation
    outcome, lines = scene.update(240, Forbidden("No batch plan."))
    assert outcome is Outcome.FORBIDDEN
    assert lines == [f"CANNOT BE WATCHED (Batch Process {JOB_ID})\nNo batch plan."]


@pytest.mark.parametrize(
    ("looks", "pause"),
    [
        (["CREATED"], 10),
        (["ANALYSING"], 10),
        (["PROCESSING"], 120),
        (["PROCESSING", ServiceUnavailable("503")], 2),
        (["PROCESSING", RateLimited("429", retry_after=60.0)], 66),
        (["PROCESSING", InvalidCredentials("no")], 61),
        (["PROCESSING", MissingJob(BatchApi.PROCESS, JOB_ID)], 120),
        ([MissingJob(BatchApi.PROCESS, JOB_ID)], 10),
        (["STOPPED"], 120),
    ],
)
def test_pause(looks, pause):
    scene = Scene()
    for at, look in enumerate(looks):
        scene.update(at, scene.job(look) if isinstance(look, str) else look)
    assert scene.wait.next_delay(T0 + len(looks)) == pytest.approx(pause)


def test_the_next_look_is_never_after_the_deadline():
    scene = Scene(lasts=150)
    scene.update(0, scene.job("PROCESSING", completionPercentage=42))
    assert scene.wait.next_delay(T0) == 120
    scene.update(120, scene.job("PROCESSING", completionPercentage=42))
    assert scene.wait.next_delay(T0 + 120) == 30
    outcome, lines = scene.update(150, scene.job("PROCESSING", completionPercentage=43))
    assert outcome is Outcome.TIMEOUT
    assert "PROCESSING 43 %" in lines[-1]


def test_after_the_deadline_the_next_look_is_due_soon_but_not_at_once():
    scene = Scene(lasts=150)
    scene.update(0, scene.job("PROCESSING"))
    assert scene.wait.next_delay(T0 + 1000) == pytest.approx(0.1)


def test_what_is_to_be_confirmed_is_looked_at_when_the_policy_says():
    scene = Scene(confirm_after=7.0)
    scene.update(0, scene.job("STOPPED"))
    assert scene.wait.next_delay(T0) == 7


def test_a_job_that_is_done_at_the_deadline_is_done():
    scene = Scene(lasts=150)
    assert scene.update(100_000, scene.job("DONE"))[0] is Outcome.DONE


def test_the_job_as_last_seen_belongs_to_every_verdict():
    scene = Scene(lasts=150)
    scene.update(0, scene.job("PROCESSING", completionPercentage=42))
    verdict = scene.wait.update(ServiceUnavailable("503"), T0 + 150)
    assert verdict.outcome is Outcome.TIMEOUT
    assert verdict.job.completion_percentage == 42
    scene = Scene()
    scene.update(0, scene.job("PROCESSING", completionPercentage=42))
    scene.wait.update(Forbidden("no"), T0 + 20)
    verdict = scene.wait.update(Forbidden("no"), T0 + 140)
    assert verdict.outcome is Outcome.FORBIDDEN
    assert verdict.job.completion_percentage == 42


@pytest.mark.parametrize(
    ("api", "goal", "status", "light"),
    [
        (BatchApi.STATISTICAL, WaitGoal.COMPLETION, "PROCESSING", True),
        (BatchApi.STATISTICAL, WaitGoal.COMPLETION, "ANALYSING", True),
        (BatchApi.STATISTICAL, WaitGoal.COMPLETION, "ANALYSIS_DONE", False),
        (BatchApi.STATISTICAL, WaitGoal.COMPLETION, "CREATED", False),
        (BatchApi.STATISTICAL, WaitGoal.ANALYSIS, "ANALYSING", False),
        (BatchApi.PROCESS, WaitGoal.COMPLETION, "PROCESSING", False),
    ],
)
def test_light_looks_only_where_the_user_action_does_not_matter(api, goal, status, light):
    scene = Scene(api, goal)
    assert not scene.wait.status_suffices
    scene.update(0, scene.job(status))
    assert scene.wait.status_suffices is light


def test_a_wait_goes_on_in_another_process_without_repeating_itself():
    first = Scene()
    first.update(0, first.job("STOPPED"))
    stored = json.loads(json.dumps(first.wait.to_json()))
    second = Scene(stored=stored)
    outcome, lines = second.update(120, second.job("STOPPED"))
    assert outcome is Outcome.STOPPED
    assert len(lines) == 1, "the verdict, and not the status again"


def test_a_quiet_job_gives_a_sign_of_life_every_ten_minutes():
    scene = Scene()
    for at in range(0, 3601, 120):
        scene.update(at, scene.job("PROCESSING"))
    assert len(scene.lines) == 7


@pytest.mark.parametrize(
    ("looks", "lasts", "wanted"),
    [
        (["PROCESSING"], 3600, {}),
        (["STOPPED"], 3600, {"exact": True, "certain": True}),
        (["PROCESSING", MissingJob(BatchApi.PROCESS, JOB_ID)], 3600, {"exact": True, "certain": True}),
        (["PROCESSING", Forbidden("no")], 3600, {"exact": True, "certain": True}),
        (["PROCESSING", InvalidCredentials("no")], 3600, {"exact": True}),
        (["PROCESSING", ServiceUnavailable("503")], 3600, {}),
        (["PROCESSING"], 60, {"exact": True, "is_final": True}),
        (["STOPPED"], 60, {"exact": True, "is_final": True, "certain": True}),
    ],
)
def test_which_look_is_wanted_next(looks, lasts, wanted):
    scene = Scene(lasts=lasts)
    for look in looks:
        scene.update(0, scene.job(look) if isinstance(look, str) else look)
    look = scene.wait.next_request(T0)
    assert look.delay == scene.wait.next_delay(T0)
    said = {
        "exact": look.exact,
        "is_final": look.is_final,
        "certain": look.bypass_list,
        "status_only": look.status_only,
    }
    assert said == {"exact": False, "is_final": False, "certain": False, "status_only": False, **wanted}


@pytest.mark.parametrize(("unchanged", "pause"), [(0, 120), (1199, 120), (1200, 240), (3599, 240), (3600, 360)])
def test_a_job_that_hardly_moves_is_looked_at_less_often(unchanged, pause):
    scene = Scene(slowest_poke_interval=360.0)
    scene.update(0, scene.job("PROCESSING", completionPercentage=42))
    scene.update(unchanged, scene.job("PROCESSING", completionPercentage=42))
    assert scene.wait.next_delay(T0 + unchanged) == pause
    scene.update(unchanged + 1, scene.job("PROCESSING", completionPercentage=43))
    assert scene.wait.next_delay(T0 + unchanged + 1) == 120


def test_never_less_often_than_the_user_wants():
    scene = Scene()
    for at in (0, 100_000):
        scene.update(at, scene.job("PROCESSING"))
    assert scene.wait.next_delay(T0 + 100_000) == 120
    assert WaitPolicy(120.0, 10.0, slowest_poke_interval=180.0).interval(scene.job("PROCESSING"), 1e6) == 180
    assert WaitPolicy(120.0, 10.0, slowest_poke_interval=60.0).interval(scene.job("PROCESSING"), 1e6) == 120
