"""``python -m airflow_sentinelhub.emulator``: a local Sentinel Hub in a terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from airflow_sentinelhub.emulator import access
from airflow_sentinelhub.emulator.embedded import MissingExtraError
from airflow_sentinelhub.emulator.oauth import Realm
from airflow_sentinelhub.emulator.object_store import Folder
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.emulator.service_clock import ServiceClock

_BANNER = """\
Sentinel Hub emulator: {url}
  jobs run at     {speed:g}x (a default job takes about {seconds:.0f} s)
  token URL       {url}{main}
  token URL, CDSE {url}{cdse}
  client id       {client_id}
  client secret   {client_secret}
  control         {url}/_emulator/ (docs/emulator.md)
Ctrl-C ends it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    options = _parser().parse_args(arguments)
    try:
        from airflow_sentinelhub.emulator.server import Server, address, open_socket
    except ModuleNotFoundError as error:
        return _fail(str(MissingExtraError(error.name)))
    try:
        write = None if options.results_folder is None else Folder(options.results_folder)
        service = Service(ServiceClock(options.speed), write=write)
        access.check_listening(options.host, options.allow_remote)
        names = access.names_of(options.host, options.allowed_host)
    except ValueError as error:
        return _fail(str(error))
    try:
        listener = open_socket(options.host, options.port)
    except (OSError, OverflowError) as error:
        return _fail(f"The emulator cannot listen at {options.host}:{options.port}: {error}")
    if warning := access.warning(options.host, options.allowed_host):
        sys.stderr.write(f"Warning: {warning}\n")
    sys.stdout.write(_banner(address(options.host, listener), service))
    sys.stdout.flush()
    try:
        Server(service, names).run([listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_sentinelhub.emulator", description="A local Sentinel Hub for trying out DAGs."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="listen at an address that other machines can reach, although the emulator guards nothing",
    )
    parser.add_argument(
        "--allowed-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a name by which the control interface may be called, such as emulator in Compose; may be repeated",
    )
    parser.add_argument("--port", type=int, default=8780, help="0 for a free one (default: %(default)s)")
    parser.add_argument(
        "--speed", type=float, default=60.0, help="service seconds per real second (default: %(default)s)"
    )
    parser.add_argument(
        "--results-folder",
        metavar="DIR",
        help="write the files that jobs leave in buckets to this folder (default: nothing is written)",
    )
    return parser


def _banner(url: str, service: Service) -> str:
    scenario, speed = service.default_scenario, service.clock.speed
    whole = (
        scenario.queued_seconds + scenario.analysis_seconds + scenario.ready_seconds + scenario.processing_seconds
    )
    return _BANNER.format(
        url=url,
        speed=speed,
        seconds=whole / speed if speed else float("inf"),
        main=Realm.MAIN.path,
        cdse=Realm.CDSE.path,
        client_id=service.settings.client_id,
        client_secret=service.settings.client_secret,
    )


def _fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
