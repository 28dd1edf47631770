"""What belongs into the archives, and what does not."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

PACKAGE = "airflow_sentinelhub"
# What only matters to those who have a clone.
NOT_IN_SDIST = (".ci/", ".pre-commit-config.yaml")


class WrongContentsError(Exception):
    """Something is missing in an archive, or does not belong there."""


def check_wheel(wheel: Path, root: Path) -> int:
    """
    Compare the wheel with the package: its modules, ``py.typed`` and the license, and nothing else.

    :param root: of the project.
    :return: how many files it has.
    :raises WrongContentsError: with the names.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    information = {name for name in names if ".dist-info/" in name}
    _compare(wheel.name, names - information, tracked(root, PACKAGE))
    ends = {name.split(".dist-info/")[1] for name in information}
    _compare(wheel.name, ends, {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"})
    return len(names)


def check_sdist(sdist: Path, root: Path) -> int:
    """
    Compare the source archive with what git knows: all that is needed to build, test and document.

    :param root: of the project.
    :return: how many files it has.
    :raises WrongContentsError: with the names.
    """
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    expected = {name for name in tracked(root) if not name.startswith(NOT_IN_SDIST)}
    _compare(sdist.name, names, expected | {"PKG-INFO"})
    return len(names)


def tracked(root: Path, *folders: str) -> set[str]:
    """Return the files that git tracks, below some folders or all of them: what is not added is not published."""
    listed = subprocess.run(
        ["git", "ls-files", *folders],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return set(listed.stdout.splitlines())


def _compare(archive: str, names: Iterable[str], expected: Iterable[str]) -> None:
    missing, foreign = sorted(set(expected) - set(names)), sorted(set(names) - set(expected))
    if missing or foreign:
        raise WrongContentsError(
            f"{archive} lacks {', '.join(missing) or 'nothing'}, and has, though it should not, "
            f"{', '.join(foreign) or 'nothing'}. What is packed is said in pyproject.toml, [tool.hatch.build]."
        )
