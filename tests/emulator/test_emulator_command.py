"""``python -m airflow_sentinelhub.emulator``."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
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
        encoding="utf-8",
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
            token = requests.post(control.auth_url, data=form, timeout=60).json()["access_token"]
            job = control.add_job("process")
            control.advance(31)
            answer = requests.get(
                f"{url}/batch/v2/process/{job}", headers={"Authorization": f"Bearer {token}"}, timeout=60
            )
            assert answer.json()["status"] == "ANALYSING"
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
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


def test_it_starts_in_a_moment() -> None:
    """What takes time is what is imported, and that is a web server and ourselves."""
    program = """
import sys
import starlette.applications, starlette.routing, uvicorn, uvicorn.protocols.http.h11_impl
before = set(sys.modules)
from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.__main__ import main
with Emulator():
    pass
more = {name.partition(".")[0] for name in set(sys.modules) - before} - {"starlette", "uvicorn"}
print(*sorted(more - sys.stdlib_module_names))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, encoding="utf-8", timeout=120
    )
    assert set(ended.stdout.split()) == {"airflow_sentinelhub"}


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, encoding="utf-8", timeout=120)
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
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=120)
    assert ended.returncode == code
    if code:
        assert f"needs {missing}" in ended.stderr
        assert "pip install 'airflow-provider-sentinelhub[emulator]'" in ended.stderr


def test_importing_it_loads_nothing_heavy() -> None:
    program = "import sys, airflow_sentinelhub.emulator; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, encoding="utf-8", timeout=120
    )
    assert not {"airflow", "requests", "starlette", "uvicorn"} & set(ended.stdout.split())
