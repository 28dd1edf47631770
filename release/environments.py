"""Empty environments with the wheel, one for each Airflow."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


class InstallationFailedError(Exception):
    """The wheel could not be installed; the message is what the installer said."""


def make(folder: Path, wheel: Path, constraints: Path) -> Path:
    """
    Make an environment that holds the wheel, the extra ``emulator`` and what they need.

    uv does that in seconds. A machine whose package index only pip knows of cannot use it, so pip comes last.

    :param folder: where; must not exist.
    :param constraints: the versions to install.
    :return: its Python.
    :raises InstallationFailedError: neither uv nor pip could.
    """
    python = folder / "bin" / "python"
    wanted = ["-c", str(constraints), f"{wheel}[emulator]"]
    said = []
    if uv := shutil.which("uv", path=Path(sys.executable).parent) or shutil.which("uv"):
        made = _run(uv, "venv", "--quiet", "--python", sys.executable, folder)
        installed = made or _run(uv, "pip", "install", "--quiet", "--python", python, *wanted)
        if installed is None:
            return python
        said.append(installed)
        shutil.rmtree(folder, ignore_errors=True)
    made = _run(sys.executable, "-m", "venv", folder)
    installed = made or _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
    if installed is not None:
        raise InstallationFailedError("\n".join([*said, installed]))
    return python


def _run(*command: object) -> str | None:
    """Run an installer, and give what it said if it failed."""
    ended = subprocess.run([str(part) for part in command], capture_output=True, encoding="utf-8", check=False)
    return ended.stdout + ended.stderr if ended.returncode else None
