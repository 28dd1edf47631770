"""Who may reach the emulator, and what may use its control interface."""

from __future__ import annotations

import http.client
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from airflow_sentinelhub.emulator import Emulator, EmulatorControl, access

JSON = {"Content-Type": "application/json"}
ELSEWHERE = ["0.0.0.0", "::", "", "192.0.2.7", "emulator", "localhost.example.org", "127.0.0.1.example.org"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_it_listens_to_its_own_machine_without_being_asked(host: str) -> None:
    access.check_listening(host, allow_remote=False)
    assert access.warning(host, ()) is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_it_listens_elsewhere_only_if_that_is_allowed(host: str) -> None:
    with pytest.raises(ValueError, match="allow_remote=True"):
        Emulator(host=host)
    access.check_listening(host, allow_remote=True)
    assert "everybody who can reach this machine" in str(access.warning(host, ()))


def test_listening_elsewhere_is_logged_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    emulator = Emulator(host="0.0.0.0", allow_remote=True, allowed_hosts=["emulator"])
    with caplog.at_level(logging.WARNING), emulator:
        assert EmulatorControl(emulator.url).jobs() == []
    [said] = [each.getMessage() for each in caplog.records if each.name == "airflow_sentinelhub.emulator.embedded"]
    assert said.startswith("The emulator listens at 0.0.0.0")
    assert "localhost, emulator;" in said


def test_the_command_refuses_to_listen_elsewhere_unless_that_is_allowed() -> None:
    command = [sys.executable, "-m", "airflow_sentinelhub.emulator", "--host", "0.0.0.0", "--port", "0"]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "--allow-remote" in ended.stderr
    allowed = [*command, "--allow-remote", "--allowed-host", "emulator", "--allowed-host", "hub.example.org"]
    with subprocess.Popen(allowed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stderr is not None
            assert process.stdout is not None
            warning = process.stderr.readline()
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            answers = [
                send(port, "GET", "/_emulator/", {"Host": host})[0]
                for host in ("emulator", "hub.example.org:8780", "evil.example.org")
            ]
        finally:
            process.kill()
    assert warning.startswith("Warning: The emulator listens at 0.0.0.0")
    assert answers == [200, 200, 403]


@pytest.mark.parametrize("name", ["emulator:8780", "http://emulator", "a b", "", "user@emulator", "[emulator"])
def test_an_allowed_host_is_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="a name without a port"):
        Emulator(allowed_hosts=[name])


def send(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body or b"")))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module")
def listening() -> Iterator[tuple[Emulator, int]]:
    with Emulator(speed=0, allowed_hosts=["Emulator", "2001:db8::1"]) as emulator:
        yield emulator, int(emulator.url.rsplit(":", 1)[1])


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:{port}", "localhost", "localhost:{port}", "LOCALHOST:1", "[::1]:{port}"),
        *("emulator", "EMULATOR:8780", "[2001:db8::1]"),
    ],
)
def test_its_own_names_are_answered(listening: tuple[Emulator, int], host: str) -> None:
    _, port = listening
    headers = JSON | {"Host": host.format(port=port)}
    assert send(port, "POST", "/_emulator/reset", headers, b"{}")[0] == 200
    assert send(port, "GET", "/_emulator/jobs", {"Host": host.format(port=port)})[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example.org", "evil.example.org:{port}", "localhost.evil.example.org", "127.0.0.1.example.org"),
        *("", "[::1", "localhost@evil.example.org", "evil.example.org/localhost", "localhost:x", "192.0.2.7"),
    ],
)
def test_a_name_that_leads_here_from_elsewhere_is_refused(
    listening: tuple[Emulator, int], host: str, method: str
) -> None:
    emulator, port = listening
    job = emulator.add_job("process")
    status, said = send(port, method, "/_emulator/jobs", JSON | {"Host": host.format(port=port)}, b"{}")
    assert (status, b"does not answer to the name" in said) == (403, True)
    status, _ = send(port, method, f"/_emulator/jobs/{job}", JSON | {"Host": host.format(port=port)}, b"{}")
    assert status == 403
    assert emulator.job(job)


@pytest.mark.parametrize(
    "origin", ["https://evil.example.org", "null", "http://localhost:1", "https://127.0.0.1:{port}"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_page_of_another_site_is_refused(listening: tuple[Emulator, int], origin: str, method: str) -> None:
    _, port = listening
    headers = JSON | {"Host": f"127.0.0.1:{port}", "Origin": origin.format(port=port)}
    status, said = send(
        port, method, "/_emulator/reset" if method == "POST" else "/_emulator/faults", headers, b"{}"
    )
    assert (status, b"other sites" in said) == (403, True)


def test_its_own_page_is_not(listening: tuple[Emulator, int]) -> None:
    _, port = listening
    headers = JSON | {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert send(port, "POST", "/_emulator/reset", headers, b"{}")[0] == 200


@pytest.mark.parametrize("body", [b"", b'{"advance": 1000}'])
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", None],
)
def test_what_a_form_can_send_is_refused(
    listening: tuple[Emulator, int], content_type: str | None, body: bytes
) -> None:
    emulator, port = listening
    before = emulator.service.clock.now()
    headers = {"Host": "localhost"} | ({} if content_type is None else {"Content-Type": content_type})
    status, said = send(port, "POST", "/_emulator/clock", headers, body)
    assert (status, b"send Content-Type: application/json" in said) == (415, True)
    assert emulator.service.clock.now() == before


def test_the_service_itself_is_called_by_any_name(listening: tuple[Emulator, int]) -> None:
    _, port = listening
    for host in ("services.sentinel-hub.com", "evil.example.org", "[::1", ""):
        assert send(port, "GET", "/batch/v2/process", {"Host": host})[0] == 401


def test_python_controls_it_over_http(listening: tuple[Emulator, int]) -> None:
    control = EmulatorControl(listening[0].url)
    job = control.add_job("process")
    control.advance(31)
    assert control.job(job)["status"] == "ANALYSING"
