"""
Runs the tests where a test that depends on the speed of its machine fails: ``make test-hard``.

Each round runs everything that starts no Airflow three times: held to one core beside a busy process, in random
order, and with another time zone and locale. After the rounds, the tests that start Airflow run once beside two
busy processes. Nothing is run again to see whether it passes then.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_BUSY = "while True: pass"
_PARALLEL = ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]


@dataclass(frozen=True)
class Condition:
    """
    One way to run tests.

    :param name: what the summary calls it.
    :param marks: pytest's ``-m``.
    :param options: more of pytest's options.
    :param environment: variables that differ.
    :param one_core: whether the tests and the busy processes share one core.
    :param busy: number of busy processes beside them.
    """

    name: str
    marks: str = "not system"
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    one_core: bool = False
    busy: int = 0


ONE_CORE = Condition("one core, beside a busy process", options=["-n", "2", *_PARALLEL[2:]], one_core=True, busy=1)
OTHER_PLACE = Condition(
    "another time zone and locale",
    options=_PARALLEL,
    # 13 h 45 min ahead of UTC in summer. Python answers the C locale with UTF-8; without that, Airflow itself
    # cannot be imported.
    environment={"TZ": "Pacific/Chatham", "LC_ALL": "C"},
)
WITH_AIRFLOW = Condition("tests of a real Airflow, beside two busy processes", "system", _PARALLEL, busy=2)


def random_order(seed: int) -> Condition:
    """
    Return the condition in which tests run in random order.

    :param seed: makes the same order again.
    """
    options = [*_PARALLEL, "-p", "randomly", f"--randomly-seed={seed}"]
    return Condition(f"random order, seed {seed}", options=options)


@contextlib.contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """Keep processes busy until the block ends."""
    processes = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(condition: Condition, arguments: Sequence[str]) -> bool:
    """
    Run the tests once, and print one line about it.

    :param arguments: more arguments for pytest.
    :return: whether all passed.
    """
    print(f"\n==== {condition.name} ====", flush=True)
    everywhere = os.sched_getaffinity(0)
    began = time.monotonic()
    try:
        if condition.one_core:
            os.sched_setaffinity(0, {min(everywhere)})  # inherited by what is started now
        with busy_processes(condition.busy):
            command = [sys.executable, "-m", "pytest", "-q", "-m", condition.marks, *condition.options, *arguments]
            status = subprocess.run(command, env=os.environ | condition.environment, check=False).returncode
    finally:
        os.sched_setaffinity(0, everywhere)
    print(f"==== {condition.name}: exit {status} after {time.monotonic() - began:.0f} s ====", flush=True)
    return status == 0


def main() -> int:
    """Run the rounds; return the exit status."""
    parser = argparse.ArgumentParser(prog="make test-hard", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="rounds without Airflow; default: %(default)s")
    parser.add_argument("--no-airflow", action="store_true", help="leave out the tests that start Airflow")
    parser.add_argument("--seed", type=int, help="seed of the first random order; default: a random one")
    parser.add_argument("pytest", nargs="*", help="more arguments for pytest, after --")
    options = parser.parse_args()
    if not hasattr(os, "sched_setaffinity"):
        parser.error("this system cannot hold a process to one core; use Linux")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**31)
    conditions = [
        each
        for number in range(options.rounds)
        for each in (ONE_CORE, random_order((seed + number) % 2**31), OTHER_PLACE)
    ]
    if not options.no_airflow:
        conditions.append(WITH_AIRFLOW)
    failed = [each.name for each in conditions if not run(each, options.pytest)]
    print(f"\n{len(conditions) - len(failed)} of {len(conditions)} runs passed", flush=True)
    for name in failed:
        print(f"failed: {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
