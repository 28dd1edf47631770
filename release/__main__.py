"""
Check the archives in a folder: ``python -m release dist constraints.txt ...``.

Ends with 1 and says why if one of them must not be published.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from release import environments
from release.contents import WrongContentsError, check_sdist, check_wheel

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Check everything, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m release", description="Check what is to be published.")
    parser.add_argument("folder", type=Path, help="where the archives are")
    parser.add_argument("constraints", type=Path, nargs="+", help="versions of each environment to install into")
    given = parser.parse_args()
    [wheel], [sdist] = given.folder.glob("*.whl"), given.folder.glob("*.tar.gz")
    try:
        for archive, files in ((wheel, check_wheel(wheel, ROOT)), (sdist, check_sdist(sdist, ROOT))):
            print(f"{archive.name}: {files} files, {archive.stat().st_size / 1024:.0f} KiB")
    except WrongContentsError as error:
        print(error)
        return 1
    with tempfile.TemporaryDirectory(prefix="release-") as folder, ThreadPoolExecutor(2) as workers:
        checks = [
            workers.submit(installed, Path(folder) / each.stem, wheel.resolve(), each.resolve())
            for each in given.constraints
        ]
        failures = [check.result() for check in checks]
    return int(any(failures))


def installed(folder: Path, wheel: Path, constraints: Path) -> bool:
    """
    Install the wheel into an empty environment and look at it from there.

    :return: whether that failed.
    """
    try:
        python = environments.make(folder, wheel, constraints)
    except environments.InstallationFailedError as error:
        print(f"{constraints.name}: the wheel cannot be installed\n{error}")
        return True
    ended = subprocess.run(
        [python, "-I", ROOT / "release" / "installed.py", ROOT / "example_dags"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if ended.returncode:
        print(f"{constraints.name}: it does not work there\n{ended.stderr}")
    else:
        print(ended.stdout, end="")
    return bool(ended.returncode)


if __name__ == "__main__":
    sys.exit(main())
