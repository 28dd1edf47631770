"""
Six waits go by in a real Airflow, against a local Sentinel Hub: ``make demo``.

Nothing is needed but this checkout, and nothing outside ``.demo/`` is written. ``KEEP=1 make demo`` leaves
everything running until Ctrl-C, so that you can look around in Airflow's UI.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from airflow_sentinelhub.emulator import Emulator
from demo.local_airflow import LocalAirflow
from demo.waits import TASKS, WAITS, Wait

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".demo"
SPEED = 20.0
POKE_INTERVAL = 2.0
FAILING_TILES = 2
RUN_TIMEOUT = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the demo; 0 only if everything is as it should be.

    :param arguments: there are none but ``--help``. Default: those of the command line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description=(__doc__ or "").replace("``", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.parse_args(arguments)
    shutil.rmtree(HOME, ignore_errors=True)
    began = time.monotonic()
    try:
        with Emulator(speed=SPEED) as service:
            print(f"A local Sentinel Hub listens at {service.url}; its time runs {SPEED:g} times as fast as ours.")
            airflow = LocalAirflow(
                HOME / "airflow",
                ROOT / "example_dags",
                connections={"sentinelhub_default": service.airflow_connection},
                env={"EXAMPLE_POKE_INTERVAL": f"{POKE_INTERVAL:g}"},
            )
            with contextlib.ExitStack() as stack:
                with progress("Airflow boots: scheduler, DAG processor, API server and triggerer"):
                    stack.enter_context(airflow)
                print(f"\nAirflow is up after {time.monotonic() - began:.0f} s: {airflow.ui_url}\n")
                problems = show(service, airflow)
                if os.environ.get("KEEP") == "1":
                    keep(airflow)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 130
    finally:
        if os.environ.get("KEEP") != "1":
            shutil.rmtree(HOME, ignore_errors=True)
    print(f"\nThe demo took {time.monotonic() - began:.0f} s.")
    for problem in problems:
        print(f"NOT AS IT SHOULD BE: {problem}", file=sys.stderr)
    return 1 if problems else 0


def show(service: Emulator, airflow: LocalAirflow) -> list[str]:
    """
    Run the example DAGs and tell what happens.

    :return: what is not as it should be.
    """
    service.next_scenario({"failed_tiles": FAILING_TILES}, api="process_v1")
    runs = {dag_id: airflow.trigger(dag_id) for dag_id in WAITS}
    waits = [Wait(dag_id, run_id, task_id) for dag_id, run_id in runs.items() for task_id in TASKS]
    print(f"{len(runs)} example DAGs run. Their {len(waits)} waits, as their task logs tell them:\n")
    states = follow(airflow, runs, waits)
    jobs = {dag_id: job_of(airflow, dag_id, run_id, states[dag_id]) for dag_id, run_id in runs.items()}
    print_costs(service, waits, jobs)
    problems = [f"the run of {dag_id} is {state}" for dag_id, state in states.items() if state != "success"]
    for wait in waits:
        if wait.state != "success":
            problems.append(f"{wait.label} is {wait.state}")
        elif not wait.was_deferred:
            problems.append(f"{wait.label} was never seen deferred: it held a worker")
    if states["example_batch_process_v1"] == "success":
        tiles = airflow.xcom("example_batch_process_v1", runs["example_batch_process_v1"], "wait_for_job")
        print_tiles(tiles)
        if len(tiles.get("FAILED", [])) != FAILING_TILES or not tiles.get("PROCESSED"):
            problems.append(f"the tiles are not as they should be: { ({key: len(tiles[key]) for key in tiles}) }")
    asked = {name: count for name, count in service.requests()["actions"].items() if count}
    if asked != {"create": len(runs), "analyse": len(runs), "start": len(runs)}:
        problems.append(f"the service was asked for {asked}")
    return problems


def follow(airflow: LocalAirflow, runs: dict[str, str], waits: list[Wait]) -> dict[str, str]:
    """Print the logs of the waits until all runs have ended; give the state of each run."""
    deadline = time.monotonic() + RUN_TIMEOUT
    while True:
        states = {dag_id: airflow.dag_run_state(dag_id, run_id) for dag_id, run_id in runs.items()}
        over = all(state in ("success", "failed") for state in states.values())
        new = []
        for dag_id, run_id in runs.items():
            tasks = {task["task_id"]: task["state"] for task in airflow.task_instances(dag_id, run_id)}
            for wait in waits:
                if wait.dag_id == dag_id and (over or wait.state not in ("success", "failed", "skipped")):
                    lines = wait.look(airflow, tasks[wait.task_id])
                    new += [(when, wait.label, text) for when, text in lines]
        for when, label, text in sorted(new):
            lines = textwrap.indent(text, " " * 40).strip()
            print(f"  {when:%H:%M:%S}  {label:<27} {lines}", flush=True)
        if over or time.monotonic() > deadline:
            return states
        airflow.check()
        time.sleep(1)


def job_of(airflow: LocalAirflow, dag_id: str, run_id: str, state: str) -> str:
    """Return the id of a run's job; empty if it has none."""
    with contextlib.suppress(Exception if state != "success" else ()):
        return str(airflow.xcom(dag_id, run_id, "create_job")["id"])
    return ""


def print_costs(service: Emulator, waits: list[Wait], jobs: dict[str, str]) -> None:
    """Print how long each wait took and what it cost."""
    counts = service.requests()
    print(f"\n  {'wait':<28} {'took':>6}  {'HTTP requests':>13}")
    for wait in waits:
        took = (wait.ended - wait.began).total_seconds() if wait.began and wait.ended else 0.0
        seen = wait.requests(counts["recent"], jobs[wait.dag_id]) if jobs[wait.dag_id] else 0
        print(f"  {wait.label:<28} {took:>4.0f} s  {seen:>13}")
    tokens = counts["by_api"].get("token", 0)
    print(f"  All that the service was asked: {counts['total']} requests, {tokens} of them for tokens.")


def print_tiles(tiles: dict[str, list[dict[str, Any]]]) -> None:
    """Print the tile-status dictionary that the v1 sensor returned."""
    print("\n  Tiles of the Batch Process v1 job, from the XCom of its sensor:\n")
    for status, of_status in tiles.items():
        ids = ", ".join(str(tile["id"]) for tile in of_status)
        print(f"  {status:<12} {len(of_status):>4}  {ids}")


def keep(airflow: LocalAirflow) -> None:
    """Leave everything running until Ctrl-C."""
    print(f"\nAirflow stays up at {airflow.ui_url} (no password). Ctrl-C ends it.", flush=True)
    while True:
        airflow.check()
        time.sleep(1)


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Show that something goes on."""
    print(what, end=" ", flush=True)
    done = threading.Event()

    def dots() -> None:
        while not done.wait(1):
            print(".", end="", flush=True)

    thread = threading.Thread(target=dots, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
