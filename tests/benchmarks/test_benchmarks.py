"""`make bench` measures what it says: the smallest benchmark there is, for real, and its arithmetic."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.measurement import detection, duration, measure, percentile
from benchmarks.options import Case, cases, parse
from benchmarks.report import in_order, machine, table

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "benchmarks"]
SMALL = "--scenarios plain --waits 2 --interval 0.4 --intervals 2 --answer-seconds 0"
# It is over as soon as both ends are noticed, however long a busy machine takes for that.
PATIENT = f"{SMALL} --patience 120"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """What a small benchmark prints and writes."""
    file = tmp_path_factory.mktemp("bench") / "new" / "results.json"
    command = [*COMMAND, *shlex.split(PATIENT), "--json", str(file)]
    began = time.monotonic()
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=600)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout, json.loads(file.read_text(encoding="utf-8")) | {"took": time.monotonic() - began}


@pytest.fixture
def results(outcome):
    return {row["variant"]: row for row in outcome[1]["results"]}


def test_every_variant_is_measured(outcome, results):
    assert list(results) == ["ours", "loop", "sdk"]
    assert {row["waits"] for row in results.values()} == {2}
    text, _ = outcome
    assert text.startswith("3 measurements, about")
    lines = [line.split() for line in text.splitlines()]
    assert [line[1] for line in lines if line[:1] == ["2"]] == ["ours", "loop", "sdk"]
    assert "_MIN_SLEEP_TIME was set to 0.4" in " ".join(text.split())


@pytest.mark.parametrize("variant", ["ours", "loop", "sdk"])
def test_the_figures_make_sense(outcome, results, variant):
    figures, took = results[variant], outcome[1]["took"]
    assert figures["wrong_ends"] == []
    assert 0.8 <= figures["window_seconds"] < took
    requests = figures["requests_per_interval"] * figures["window_seconds"] / 0.4
    assert requests == pytest.approx(round(requests)), "it was counted"
    # A look at each job, or one at both, which may come a fifth early. Of each job one that was late may fall into
    # the window, and one that falls out at its end; on a busy machine there may be none at all.
    assert requests <= 2 * (figures["window_seconds"] / (0.8 * 0.4) + 2)
    assert figures["requests_per_minute"] == pytest.approx(figures["requests_per_interval"] / 0.4 * 60)
    assert figures["tokens"] == (2 if variant == "sdk" else 1)
    assert (figures["refused"], figures["refused_after_first_minute"]) == (0, None)
    assert 0 < figures["cpu_seconds_per_wait_hour"] < 3600
    assert figures["memory_per_wait"] < 200e6
    noticed = figures["detection"]
    assert (noticed["ends"], noticed["seen"]) == (2, 2)
    assert 0 <= noticed["p50"]["seconds"] <= noticed["p99"]["seconds"] < took
    assert not noticed["p99"]["or_more"]
    assert figures["first_answers"] == 2
    assert 0 < figures["all_seen_after"]["seconds"] < took


def test_only_an_event_loop_can_be_late(results):
    for variant, row in results.items():
        lag = row["lag"]
        assert (lag is None) == (variant == "sdk")
        if lag is not None:
            assert 0 <= lag["p50"] <= lag["p99"] <= lag["max"]


def test_the_machine_and_the_parameters_are_written_down(outcome):
    _, written = outcome
    assert written["machine"]["cores"] >= 1
    assert written["machine"]["apache-airflow"].startswith("3.")
    assert (written["parameters"]["interval"], written["parameters"]["waits"]) == (0.4, [2])


def test_a_limit_is_felt():
    figures = measure(Case("limited", "loop", 2), parse(shlex.split(f"{SMALL} --limit 1")))
    assert figures["refused"] >= 1
    assert (figures["first_answers"], figures["wrong_ends"]) == (1, [])
    # The one look that was let in came before any job had ended.
    assert figures["all_seen_after"]["or_more"]
    assert figures["detection"]["seen"] == 0
    assert figures["detection"]["p50"]["or_more"]


def test_more_processes_than_were_measured_are_marked():
    options = parse(["--variants", "sdk", "--waits", "8", "80"])
    took = duration(1.5, 0)
    figures = {
        "processes": 8,
        "window_seconds": 180.0,
        "requests_per_minute": 8.0,
        "requests_per_interval": 8.0,
        "tokens": 8,
        "refused": 0,
        "refused_after_first_minute": 0,
        "cpu_seconds_per_wait_hour": 0.25,
        "memory_per_wait": 2048.0,
        "memory_over_idle": None,
        "lag_at_start": None,
        "lag": None,
        "detection": {"ends": 8, "seen": 8, "p50": took, "p99": took},
        "first_answers": 8,
        "all_seen_after": took,
        "emulator_load": 0.0,
        "wrong_ends": [],
        "extrapolated_from": None,
    }
    rows = in_order([Case("plain", "sdk", 8)._asdict() | figures], options)
    text = table(rows, options, machine())
    [measured, guessed] = [line.split() for line in text.splitlines() if " sdk " in line]
    assert measured[:5] == ["8", "sdk", "8.0", "8.0", "8"]
    assert guessed[:5] == ["80", "sdk", "~80.0", "~80.0", "~80"]
    assert guessed.count("-") == 8, "of lag, over idle, number of ends, time until all are known, emulator"
    assert "~: not measured" in text


def test_what_is_measured_by_default():
    planned = cases(parse([]))
    assert len(planned) == 14
    assert planned[:3] == [Case("plain", "ours", 1), Case("plain", "loop", 1), Case("plain", "sdk", 1)]
    assert [case.waits for case in planned if case.variant == "sdk"] == [1, 8]
    assert planned[-2:] == [Case("limited", "ours", 1000), Case("limited", "loop", 1000)]


@pytest.mark.parametrize(("waits", "a_second"), [(1, 50), (1000, 50), (10_000, 500)])
def test_arrivals(waits, a_second):
    assert parse([]).arrivals_of(waits) == a_second
    assert parse(["--arrivals", "7"]).arrivals_of(waits) == 7


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("--waits 0", "'0' is no whole number above 0"),
        ("--waits many", "'many' is no whole number above 0"),
        ("--interval 0", "'0' is no number above 0"),
        ("--interval nan", "'nan' is no number above 0"),
        ("--answer-seconds -1", "'-1' is no number of at least 0"),
        ("--variants theirs", "invalid choice: 'theirs'"),
        ("--speed 5", "unrecognized arguments"),
    ],
)
def test_nonsense_is_refused(wrong, complaint, capsys):
    with pytest.raises(SystemExit):
        parse(wrong.split())
    assert complaint in capsys.readouterr().err


def test_percentiles():
    hundred = [float(number) for number in range(1, 101)]
    assert [percentile(hundred, percent) for percent in (50, 99, 100)] == [50.0, 99.0, 100.0]
    assert [percentile([3.0], percent) for percent in (50, 99)] == [3.0, 3.0]


def test_an_end_that_nobody_saw_took_at_least_so_long():
    ends = {"a": 10.0, "b": 20.0, "c": 30.0}

    def found(seen, p50, p99):
        return {"ends": 3, "seen": seen, "p50": p50, "p99": p99}

    def took(seconds, or_more=False):
        return {"seconds": seconds, "or_more": or_more}

    assert detection(ends, {"a": 11.0, "b": 23.0, "c": 30.5}, 40) == found(3, took(1.0), took(3.0))
    assert detection(ends, {"a": 11.0, "b": 23.0}, 40) == found(2, took(3.0), took(10.0, or_more=True))
    assert detection(ends, {"a": 11.0}, 40)["p50"] == took(10.0, or_more=True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_running(how, tmp_path):
    options = "--waits 1 --variants sdk --scenarios plain --interval 60 --json"
    process = subprocess.Popen(
        [*COMMAND, *shlex.split(options), str(tmp_path / "results.json")],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        started: list[psutil.Process] = []
        deadline = time.monotonic() + 120
        while len(started) < 1 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
            started = psutil.Process(process.pid).children(recursive=True)
        assert len(started) == 1, "the process that waits"
        os.kill(process.pid, how)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, said) == (130, "\nStopped; nothing is left running.\n")
    _, alive = psutil.wait_procs(started, timeout=60)
    assert alive == []
