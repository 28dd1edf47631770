"""What a sequence of looks at a job comes to. Each row is one fact of the service, with its section."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    MissingJob,
    Outcome,
    WaitGoal,
    WaitPolicy,
    WaitState,
    evaluate,
)

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
V1, V2, STAT = BatchApi.PROCESS_V1, BatchApi.PROCESS, BatchApi.STATISTICAL
EVERY = (V1, V2, STAT)
ANALYSIS, COMPLETION = WaitGoal.ANALYSIS, WaitGoal.COMPLETION
BOTH = (ANALYSIS, COMPLETION)
INTERVAL = 120
GONE = None

WAITING, DONE = Outcome.WAITING, Outcome.DONE
CREATED = "1970-01-12T13:46:30Z"
"""Ten seconds before the first look."""


def job(status, action="START", **fields):
    payload = {"id": JOB_ID, "status": status, "userAction": action, **fields}
    return {key: value for key, value in payload.items() if value is not None}


OLD = job("PROCESSING", created="1970-01-01T00:00:00Z")


def judge(api, goal, looks, **policy):
    """Outcomes and verdicts of looks, each ``(seconds since the first, payload or 404)``."""
    policy = WaitPolicy(**{"poke_interval": INTERVAL, "analysis_poke_interval": 10, **policy})
    memory, verdicts = WaitState(), []
    for at, payload in looks:
        seen = MissingJob(api, JOB_ID) if payload is GONE else BatchJob.from_payload(api, payload)
        # Through JSON and back: whatever is remembered has to survive a restart.
        verdict, memory = evaluate(seen, goal, policy, 1_000_000.0 + at, WaitState.from_json(memory.to_json()))
        verdicts.append(verdict)
    return verdicts


def outcomes(*arguments, **policy):
    return [verdict.outcome for verdict in judge(*arguments, **policy)]


# Section 7.1, row by row, and section 8: what the seed functions get wrong, and what is right.
# (what, APIs, goals, looks, outcomes)
TABLE = [
    # FAILED at first look: all six raise. FAILED in processing: v1 and v2 return, statistical hangs.
    ("failed at first look", EVERY, BOTH, [(0, job("FAILED"))], [Outcome.FAILED]),
    (
        "failed in processing",
        EVERY,
        [COMPLETION],
        [(0, job("PROCESSING", completionPercentage=40)), (120, job("FAILED", completionPercentage=40))],
        [WAITING, Outcome.FAILED],
    ),
    ("failed in analysis", EVERY, BOTH, [(0, job("ANALYSING")), (10, job("FAILED"))], [WAITING, Outcome.FAILED]),
    # CANCELED: v1 raises at first look, returns later.
    ("canceled at first look", EVERY, BOTH, [(0, job("CANCELED", "CANCEL"))], [Outcome.CANCELED]),
    (
        "canceled later",
        EVERY,
        BOTH,
        [(0, job("CREATED", "CANCEL")), (10, job("CANCELED", "CANCEL"))],
        [WAITING, Outcome.CANCELED],
    ),
    ("canceled with two L", EVERY, BOTH, [(0, job("CANCELLED", "CANCEL"))], [Outcome.CANCELED]),
    # STOPPED: 3.11.1 returns or hangs. Read twice, since UNHEALTHY jobs are started again by staff.
    (
        "stopped at first look",
        EVERY,
        BOTH,
        [(0, job("STOPPED", "STOP")), (120, job("STOPPED", "STOP"))],
        [WAITING, Outcome.STOPPED],
    ),
    (
        "stopped in processing",
        EVERY,
        [COMPLETION],
        [(0, job("PROCESSING")), (120, job("STOPPED")), (240, job("STOPPED"))],
        [WAITING, WAITING, Outcome.STOPPED],
    ),
    (
        "stopped as unhealthy, then started by staff",
        EVERY,
        [COMPLETION],
        [
            (0, job("STOPPED", stoppedStatusReason="UNHEALTHY")),
            (120, job("PROCESSING")),
            (240, job("STOPPED", stoppedStatusReason="UNHEALTHY")),
            (360, job("DONE")),
        ],
        [WAITING, WAITING, WAITING, DONE],
    ),
    (
        "stopped, read again too soon",
        EVERY,
        [COMPLETION],
        [(0, job("STOPPED")), (119, job("STOPPED")), (120, job("STOPPED"))],
        [WAITING, WAITING, Outcome.STOPPED],
    ),
    # PARTIAL: v1 and v2 return, statistical hangs or breaks. It was seen to turn into DONE by itself (4.7).
    (
        "partial",
        EVERY,
        [COMPLETION],
        [(0, job("PARTIAL")), (120, job("PARTIAL"))],
        [WAITING, Outcome.PARTIAL],
    ),
    ("partial turns done", EVERY, [COMPLETION], [(0, job("PARTIAL")), (120, job("DONE"))], [WAITING, DONE]),
    (
        "partial lingers after a restart",
        EVERY,
        [COMPLETION],
        [(0, job("PARTIAL")), (120, job("PROCESSING")), (240, job("PARTIAL")), (360, job("PARTIAL"))],
        [WAITING, WAITING, WAITING, Outcome.PARTIAL],
    ),
    ("partial is past the analysis", EVERY, [ANALYSIS], [(0, job("PARTIAL"))], [DONE]),
    # DONE with 97 %: statistical hangs. 100 % while PROCESSING: statistical returns early.
    ("done at 97 %", EVERY, BOTH, [(0, job("DONE", completionPercentage=97))], [DONE]),
    ("done without a percentage", EVERY, BOTH, [(0, job("DONE"))], [DONE]),
    (
        "100 % is not done",
        EVERY,
        [COMPLETION],
        [(at, job("PROCESSING", completionPercentage=100)) for at in (0, 120, 240)] + [(360, job("DONE"))],
        [WAITING, WAITING, WAITING, DONE],
    ),
    # Straight from the analysis to DONE, with nothing to process; v1 returned at once with tileCount 0.
    (
        "straight from analysis to done",
        EVERY,
        [COMPLETION],
        [(0, job("ANALYSING")), (10, job("DONE", costPU=0))],
        [WAITING, DONE],
    ),
    ("analysed, no tiles", [V1], [COMPLETION], [(0, job("ANALYSIS_DONE", tileCount=0))], [WAITING]),
    # Analysis: anything later than it is success.
    ("analysis done", EVERY, [ANALYSIS], [(0, job("ANALYSIS_DONE", "ANALYSE"))], [DONE]),
    ("analysis done, never started", EVERY, [ANALYSIS], [(0, job("ANALYSIS_DONE", "NONE"))], [DONE]),
    ("analysis missed, processing", EVERY, [ANALYSIS], [(0, job("PROCESSING"))], [DONE]),
    ("analysing", EVERY, BOTH, [(0, job("ANALYSING", "ANALYSE")), (10, job("ANALYSING"))], [WAITING, WAITING]),
    # The status stays CREATED for minutes after a successful START (section 0).
    (
        "created, start asked for",
        EVERY,
        BOTH,
        [(at, job("CREATED", "START")) for at in (0, 7200, 7320)],
        [WAITING] * 3,
    ),
    (
        "created, analysis asked for",
        EVERY,
        BOTH,
        [(at, job("CREATED", "ANALYSE")) for at in (0, 7200, 7320)] + [(7330, job("DONE"))],
        [WAITING, WAITING, WAITING, DONE],
    ),
    (
        "analysed, start asked for",
        EVERY,
        [COMPLETION],
        [(at, job("ANALYSIS_DONE", "START")) for at in (0, 7200, 7320)],
        [WAITING] * 3,
    ),
    # CREATED or ANALYSIS_DONE and never started: all hang for ever.
    *[
        (
            f"never started: {what}",
            EVERY,
            goals,
            [(0, state), (3480, state), (3600, state), (3720, state)],
            [WAITING, WAITING, WAITING, Outcome.NOT_STARTED],
        )
        for what, goals, state in [
            ("created", BOTH, job("CREATED", "NONE")),
            ("created, no user action", BOTH, job("CREATED", None)),
            ("analysed, action NONE", [COMPLETION], job("ANALYSIS_DONE", "NONE")),
            ("analysed, action ANALYSE", [COMPLETION], job("ANALYSIS_DONE", "ANALYSE")),
        ]
    ],
    (
        "started in time",
        EVERY,
        [COMPLETION],
        [(0, job("CREATED", "NONE")), (3599, job("CREATED", "NONE")), (3719, job("CREATED", "START"))],
        [WAITING, WAITING, WAITING],
    ),
    (
        "a user action begins the grace anew",
        EVERY,
        [COMPLETION],
        [
            (0, job("CREATED", "NONE")),
            (3500, job("ANALYSIS_DONE", "ANALYSE")),
            (7000, job("ANALYSIS_DONE", "ANALYSE")),
            (7100, job("ANALYSIS_DONE", "ANALYSE")),
            (7220, job("ANALYSIS_DONE", "ANALYSE")),
        ],
        [WAITING, WAITING, WAITING, WAITING, Outcome.NOT_STARTED],
    ),
    (
        "started in the last moment",
        EVERY,
        [COMPLETION],
        [(0, job("CREATED", "NONE")), (3600, job("CREATED", "NONE")), (3720, job("CREATED", "START"))],
        [WAITING, WAITING, WAITING],
    ),
    (
        "the same user action, asked for again, begins the grace anew",
        EVERY,
        [COMPLETION],
        [
            (at, job("ANALYSIS_DONE", "ANALYSE", userActionUpdated=asked))
            for at, asked in [(0, "10:00"), (3500, "10:58"), (3600, "10:58"), (3720, "10:58")]
        ],
        [WAITING] * 4,
    ),
    *[
        (
            f"the grace begins anew after {what}",
            EVERY,
            [COMPLETION],
            [(0, job("CREATED", "NONE")), (1800, between), *((at, job("CREATED", "NONE")) for at in (3600, 3720))],
            [WAITING] * 4,
        )
        for what, between in [
            ("the job moved", job("ANALYSING", "NONE")),
            ("an unknown status", job("PAUSED", "NONE")),
            ("a 404", GONE),
        ]
    ],
    # A pending STOP or CANCEL is not over yet.
    (
        "stop is pending",
        EVERY,
        BOTH,
        [(at, job("ANALYSING", "STOP")) for at in (0, 7200, 7320)],
        [WAITING] * 3,
    ),
    (
        "stop is pending before the start",
        EVERY,
        [COMPLETION],
        [(at, job("ANALYSIS_DONE", "STOP")) for at in (0, 7200, 7320)]
        + [(at, job("ANALYSIS_DONE", "CANCEL")) for at in (7440, 14640, 14760)],
        [WAITING] * 6,
    ),
    ("stop is pending in processing", EVERY, [COMPLETION], [(0, job("PROCESSING", "STOP"))], [WAITING]),
    # Unknown words: ValueError in all six.
    (
        "unknown status",
        EVERY,
        BOTH,
        [(0, job("PAUSED")), (3599, job("PAUSED")), (3600, job("PAUSED"))],
        [WAITING, WAITING, Outcome.UNKNOWN_STATUS],
    ),
    (
        "unknown status that moves",
        EVERY,
        BOTH,
        [(0, job("PAUSED", costPU=1)), (3600, job("PAUSED", costPU=2)), (7199, job("PAUSED", costPU=2))],
        [WAITING, WAITING, WAITING],
    ),
    (
        "stopped, then unknown, then stopped",
        EVERY,
        BOTH,
        [(0, job("STOPPED")), (120, job("PAUSED")), (240, job("STOPPED")), (360, job("STOPPED"))],
        [WAITING, WAITING, WAITING, Outcome.STOPPED],
    ),
    ("unknown status, then done", EVERY, BOTH, [(0, job("PAUSED")), (120, job("DONE"))], [WAITING, DONE]),
    ("no status at all", EVERY, BOTH, [(0, job(None)), (3600, job(None))], [WAITING, Outcome.UNKNOWN_STATUS]),
    (
        "unknown user action",
        EVERY,
        BOTH,
        [(at, job("CREATED", "RESTART")) for at in (0, 7200, 7320)],
        [WAITING] * 3,
    ),
    (
        "unknown stop reason",
        EVERY,
        BOTH,
        [(at, job("STOPPED", stoppedStatusReason="METEORITE")) for at in (0, 120)],
        [WAITING, Outcome.STOPPED],
    ),
    # Deleted: DownloadFailedException at the first 404, also right after create (4.7).
    ("not readable yet", EVERY, BOTH, [(0, GONE), (10, GONE), (20, job("DONE"))], [WAITING, WAITING, DONE]),
    (
        "never there",
        EVERY,
        BOTH,
        [(at, GONE) for at in (0, 10, 299, 300)],
        [WAITING, WAITING, WAITING, Outcome.NOT_FOUND],
    ),
    (
        "deleted meanwhile",
        EVERY,
        [COMPLETION],
        [(0, OLD), (120, GONE), (239, GONE), (240, GONE)],
        [WAITING, WAITING, WAITING, Outcome.NOT_FOUND],
    ),
    # Their read and write databases get out of step: up to 230 s are known (eo-grow, PR 356).
    (
        "404 in its first minutes",
        EVERY,
        BOTH,
        [(0, job("CREATED", created=CREATED)), (10, GONE), (160, GONE), (230, GONE), (240, job("FAILED"))],
        [WAITING, WAITING, WAITING, WAITING, Outcome.FAILED],
    ),
    (
        "deleted in its first minutes",
        EVERY,
        [COMPLETION],
        [(0, job("PROCESSING", created=CREATED)), (10, GONE), (289, GONE), (290, GONE), (410, GONE)],
        [WAITING, WAITING, WAITING, WAITING, Outcome.NOT_FOUND],
    ),
    (
        "seen, creation unknown",
        EVERY,
        [COMPLETION],
        [(0, job("PROCESSING")), (10, GONE), (299, GONE), (300, GONE), (420, GONE)],
        [WAITING, WAITING, WAITING, WAITING, Outcome.NOT_FOUND],
    ),
    (
        "404 that was a lie",
        EVERY,
        [COMPLETION],
        [(0, job("PROCESSING")), (120, GONE), (240, job("PROCESSING")), (360, GONE), (480, job("DONE"))],
        [WAITING, WAITING, WAITING, WAITING, DONE],
    ),
]


@pytest.mark.parametrize(
    ("api", "goal", "looks", "expected"),
    [
        pytest.param(api, goal, looks, expected, id=f"{what}-{api.value}-{goal.value}")
        for what, apis, goals, looks, expected in TABLE
        for api in apis
        for goal in goals
    ],
)
def test_outcome(api, goal, looks, expected):
    assert outcomes(api, goal, looks) == expected


@pytest.mark.parametrize("api", EVERY)
def test_partial_is_accepted_when_asked_for_and_still_read_twice(api):
    looks = [
        (0, job("PARTIAL", error="Too many failed tiles")),
        (120, job("PARTIAL", error="Too many failed tiles")),
    ]
    first, second = judge(api, COMPLETION, looks, allow_partial=True)
    assert (first.outcome, second.outcome) == (WAITING, DONE)
    assert "accepted" in second.message
    assert "Too many failed tiles" in second.service_message


@pytest.mark.parametrize(
    ("grace", "last", "expected"),
    [(None, 1_000_000, WAITING), (60, 180, Outcome.NOT_STARTED), (0, 120, Outcome.NOT_STARTED)],
)
def test_start_grace(grace, last, expected):
    resting = job("CREATED", "NONE")
    looks = [(0, resting), (60, resting), (last, resting)]
    assert outcomes(V2, COMPLETION, looks, start_grace=grace)[-1] is expected


def test_without_any_grace_each_user_action_is_still_read_twice():
    states = [
        (0, job("CREATED", "NONE")),
        (120, job("ANALYSIS_DONE", "ANALYSE")),
        (240, job("ANALYSIS_DONE", "ANALYSE")),
    ]
    assert outcomes(V2, COMPLETION, states, start_grace=0) == [WAITING, WAITING, Outcome.NOT_STARTED]


@pytest.mark.parametrize(("grace", "ends"), [(3600, True), (None, False)])
def test_a_resting_job_is_said_to_fail_the_task_only_if_it_will(grace, ends):
    [verdict] = judge(V2, COMPLETION, [(0, job("CREATED", "NONE"))], start_grace=grace)
    assert verdict.message.startswith("Not started yet: CREATED, user action NONE")
    assert (", fails at " in verdict.message) is ends


def test_what_is_said_while_a_verdict_is_confirmed():
    [*_, vanished] = judge(V2, COMPLETION, [(0, OLD), (120, GONE)])
    assert "It was there before: it is asked for once more" in vanished.message
    [stopped] = judge(V2, COMPLETION, [(0, job("STOPPED"))])
    assert "polled once more before this counts" in stopped.message
    [*_, flickers] = judge(V2, COMPLETION, [(0, job("PROCESSING", created=CREATED)), (120, GONE)])
    assert "happens in a job's first minutes" in flickers.message
    assert flickers.warn
    assert vanished.warn
    assert stopped.warn


def test_a_verdict_carries_the_job_and_the_words_of_the_service():
    [verdict] = judge(V2, COMPLETION, [(0, job("FAILED", error="Evalscript broken"))])
    assert verdict.service_message == "Evalscript broken"
    assert verdict.exception().service_message == "Evalscript broken"
    [_, stopped] = judge(
        V2, COMPLETION, [(at, job("STOPPED", stoppedStatusReason="OUT_OF_PU")) for at in (0, 120)]
    )
    assert stopped.exception().reason == "OUT_OF_PU"


def test_resting_is_warned_of_at_once_and_every_ten_minutes():
    looks = [(at, job("ANALYSIS_DONE", "NONE")) for at in range(0, 1300, 120)]
    warned = [at for (at, _), verdict in zip(looks, judge(V2, COMPLETION, looks), strict=True) if verdict.warn]
    assert warned == [0, 600, 1200]


def test_unknown_status_is_warned_of_once_for_each_word():
    looks = [(0, job("PAUSED")), (120, job("PAUSED")), (240, job("THAWING")), (360, job("THAWING"))]
    assert [verdict.warn for verdict in judge(V2, COMPLETION, looks)] == [True, False, True, False]


@pytest.mark.parametrize("change", [{"completionPercentage": 41}, {"costPU": 8}, {"lastUpdated": "2026-01-02"}])
def test_a_job_that_changes_is_not_stalled(change):
    still = {"completionPercentage": 40, "costPU": 7.5, "lastUpdated": "2026-01-01"}
    looks = [(0, job("PROCESSING", **still)), (1800, job("PROCESSING", **{**still, **change}))]
    looks += [(3600, looks[-1][1]), (3720, looks[-1][1])]
    assert outcomes(V2, COMPLETION, looks, stall_timeout=3600) == [WAITING] * 4


@pytest.mark.parametrize("state", ["CREATED", "ANALYSING", "ANALYSIS_DONE", "PROCESSING"])
def test_a_job_without_any_change_is_stalled(state):
    looks = [(at, job(state)) for at in (0, 3599, 3600, 3720)]
    assert outcomes(V2, COMPLETION, looks, stall_timeout=3600) == [WAITING, WAITING, WAITING, Outcome.STALLED]
    assert outcomes(V2, COMPLETION, looks) == [WAITING] * 4


def test_a_change_of_status_alone_is_a_change():
    looks = [(0, job("ANALYSING")), (3600, job("PROCESSING")), (3720, job("PROCESSING"))]
    assert outcomes(V2, COMPLETION, looks, stall_timeout=3600) == [WAITING] * 3


def test_a_resting_job_is_not_stalled():
    looks = [(at, job("CREATED", "NONE")) for at in (0, 3600, 7200)]
    assert outcomes(V2, COMPLETION, looks, stall_timeout=60, start_grace=None) == [WAITING] * 3


def test_a_light_answer_never_proves_that_nobody_started_the_job():
    policy = WaitPolicy(poke_interval=30, analysis_poke_interval=10, start_grace=0)
    memory = WaitState()
    for at in (0, 100, 7200):
        seen = BatchJob.from_payload(STAT, {"id": JOB_ID, "status": "ANALYSIS_DONE"}, status_only=True)
        verdict, memory = evaluate(seen, COMPLETION, policy, at, memory)
        assert verdict.outcome is WAITING


def test_where_nothing_is_remembered_what_is_seen_lasts_since_the_first_look():
    policy = WaitPolicy(poke_interval=120, analysis_poke_interval=10, confirm_after=10)
    first = 1_000.0
    memory = WaitState(first_answer_at=first, state_since_fallback=first)
    seen = BatchJob.from_payload(V2, job("CREATED", "NONE"))
    _, later = evaluate(seen, COMPLETION, policy, first + 3600, memory)
    verdict, _ = evaluate(seen, COMPLETION, policy, first + 3610, later)
    assert verdict.outcome is Outcome.NOT_STARTED
    verdict, _ = evaluate(MissingJob(V2, JOB_ID), COMPLETION, policy, first + 299, memory)
    assert verdict.outcome is WAITING
    seen = BatchJob.from_payload(V2, job("PAUSED"))
    for after, expected in ((3599, WAITING), (3600, Outcome.UNKNOWN_STATUS)):
        assert evaluate(seen, COMPLETION, policy, first + after, memory)[0].outcome is expected


# Messages name the job, give the service's own words, and say what to do.
@pytest.mark.parametrize(
    ("looks", "says"),
    [
        ([(0, job("FAILED", error="Evalscript broken"))], ["FAILED: Evalscript broken", "create a new one"]),
        ([(0, job("FAILED"))], ["FAILED without a reason", "create a new one"]),
        ([(0, job("FAILED", error={"message": "as an object"}))], ["as an object"]),
        ([(0, job("CANCELED"))], ["CANCELED", "create a new one"]),
        (
            [(at, job("STOPPED", stoppedStatusReason="OUT_OF_PU")) for at in (0, 120)],
            ["OUT_OF_PU", "ran out of processing units", "START", "60 minutes"],
        ),
        (
            [(at, job("STOPPED", stoppedStatusReason="USER_ACTION")) for at in (0, 120)],
            ["USER_ACTION", "Somebody stopped it", "30 minutes"],
        ),
        (
            [(at, job("STOPPED", stoppedStatusReason="UNHEALTHY")) for at in (0, 120)],
            ["UNHEALTHY", "kept failing", "staff"],
        ),
        (
            [(at, job("STOPPED", stoppedStatusReason="METEORITE")) for at in (0, 120)],
            ["METEORITE", "does not know that reason"],
        ),
        ([(at, job("STOPPED")) for at in (0, 120)], ["no reason given", "START"]),
        (
            [(at, job("PARTIAL", error="Too many failed tiles")) for at in (0, 120)],
            ["PARTIAL: Too many failed tiles", "allow_partial=True"],
        ),
        (
            [(at, job("ANALYSIS_DONE", "ANALYSE")) for at in (0, 3600, 3720)],
            ["NOT STARTED for 62 min: ANALYSIS_DONE, user action ANALYSE (", "start_grace"],
        ),
        ([(at, job("PAUSED")) for at in (0, 3600)], ["'PAUSED'", "newer version"]),
        ([(at, GONE) for at in (0, 300)], ["NOT FOUND: 404", "retention period", "Check the id"]),
        ([(0, OLD), (120, GONE), (240, GONE)], ["GONE: 404", "retention period"]),
    ],
)
def test_message(looks, says):
    message = judge(V2, COMPLETION, looks)[-1].message
    assert JOB_ID in message
    for words in says:
        assert words in message


def test_message_names_the_retention_of_statistical_jobs():
    message = judge(STAT, COMPLETION, [(0, GONE), (300, GONE)])[-1].message
    assert "7 days" in message
    assert "15 days" in message
    assert "30 days" in message


def test_an_endless_error_is_cut():
    message = judge(V2, COMPLETION, [(0, job("FAILED", error="x" * 100_000))])[-1].message
    assert len(message) < 1500
