"""``python -m airflow_sentinelhub.emulator``."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from airflow_sentinelhub.emulator import EmulatorControl

COMMAND = [sys.executable, "-W", "error", "-m", "airflow_sentinelhub.emulator"]
WITHOUT = "import sys; sys.modules[{missing!r}] = None; from airflow_sentinelhub.emulator"


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the emulator as a shell does in the foreground; whatever happens, it ends."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background of a script ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_serves_until_interrupted() -> None:
    with started("--port", "0", "--speed", "0") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            banner = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
            found = re.search(r"http://127\.0\.0\.1:\d+", banner)
            assert found is not None
            url = found[0]
            for part in (f"{url}/auth/realms/main/", f"{url}/auth/realms/CDSE/", f"{url}/_emulator/"):
                assert part in banner
            words = dict(re.findall(r"client (id|secret) +(\S+)", banner))
            control = EmulatorControl(url)
            form = {
                "grant_type": "client_credentials",
                "client_id": words["id"],
                "client_secret": words["secret"],
            }
            token = requests.post(control.auth_url, data=form, timeout=5).json()["access_token"]
            job = control.add_job("process")
            control.advance(31)
            answer = requests.get(
                f"{url}/batch/v2/process/{job}", headers={"Authorization": f"Bearer {token}"}, timeout=5
            )
            assert answer.json()["status"] == "ANALYSING"
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(10)
        assert (code, process.stderr.read(), process.stdout.read()) == (0, "", "")


def test_it_writes_results_to_a_folder(tmp_path: Path) -> None:
    with started("--port", "0", "--speed", "0", "--results-folder", str(tmp_path)) as process:
        assert process.stdout is not None
        control = EmulatorControl(process.stdout.readline().split()[-1])
        job = control.add_job("process", status="DONE")
        control.job(job)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")] == [
        f"my-bucket/results/{job}/execution-{job}.sqlite"
    ]


def start_once() -> tuple[float, float]:
    """Seconds until it listens, and seconds of processor time for its whole life."""
    before, begin = os.times(), time.monotonic()
    with started("--port", "0") as process:
        assert process.stdout is not None
        process.stdout.readline()
        listens_after = time.monotonic() - begin
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return listens_after, used


def test_it_starts_in_a_moment() -> None:
    # The quickest of three: what else a machine is doing only ever makes a start slower.
    starts = [start_once() for _ in range(3)]
    quickest = min(listens_after for listens_after, _ in starts)
    assert quickest < 5, "the aim is one second, the rest is for a busy machine"
    assert min(used for _, used in starts) < 2


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"The emulator cannot listen at 127.0.0.1:{port}: ")


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
@pytest.mark.parametrize(
    ("use", "code"),
    [
        (".__main__ import main; sys.exit(main([]))", 1),
        (" import Emulator; Emulator().start()", 1),
        (" import Emulator", 0),
    ],
)
def test_without_the_extra_it_says_which_one(missing: str, use: str, code: int) -> None:
    program = WITHOUT.format(missing=missing) + use
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert ended.returncode == code
    if code:
        assert f"needs {missing}" in ended.stderr
        assert "pip install 'airflow-provider-sentinelhub[emulator]'" in ended.stderr


@pytest.mark.parametrize("unwanted", ["airflow", "requests", "starlette", "uvicorn"])
def test_importing_it_loads_nothing_heavy(unwanted: str) -> None:
    program = f"import sys, airflow_sentinelhub.emulator; sys.exit({unwanted!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=20).returncode == 0
