"""An archive with a file too few or too many is not published, and the message names it."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from release.contents import WrongContentsError, check_sdist, check_wheel, tracked
from tests.harness import requirements

ROOT = Path(__file__).parents[2]

if not (ROOT / ".git").exists():
    pytest.skip(requirements.GIT_CLONE, allow_module_level=True)

INFORMATION = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


@pytest.fixture
def wheel(tmp_path):
    def wheel(*, without=(), beside=()):
        names = tracked(ROOT, "airflow_sentinelhub") | {f"x-1.dist-info/{name}" for name in INFORMATION}
        with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
            for name in (names - set(without)) | set(beside):
                archive.writestr(name, "")
        return tmp_path / "x.whl"

    return wheel


@pytest.fixture
def sdist(tmp_path):
    def sdist(*, without=(), beside=()):
        names = {name for name in tracked(ROOT) if not name.startswith((".ci/", ".pre-commit"))} | {"PKG-INFO"}
        with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
            for name in (names - set(without)) | set(beside):
                archive.addfile(tarfile.TarInfo(f"x-1/{name}"), io.BytesIO())
        return tmp_path / "x.tar.gz"

    return sdist


def test_what_is_whole(wheel, sdist):
    assert check_wheel(wheel(), ROOT) > 100
    assert check_sdist(sdist(), ROOT) > 300


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"without": ["airflow_sentinelhub/py.typed"]}, "lacks airflow_sentinelhub/py.typed"),
        ({"without": ["x-1.dist-info/licenses/LICENSE"]}, "lacks licenses/LICENSE"),
        ({"without": ["x-1.dist-info/entry_points.txt"]}, "lacks entry_points.txt"),
        ({"beside": ["tests/test_x.py"]}, "has, though it should not, tests/test_x.py"),
        ({"beside": ["airflow_sentinelhub/scratch.py.orig"]}, "though it should not, .*scratch.py.orig"),
    ],
)
def test_a_wheel_that_is_not(wheel, changes, says):
    with pytest.raises(WrongContentsError, match=says):
        check_wheel(wheel(**changes), ROOT)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"without": ["docs/testing.md", "LICENSE"]}, "lacks LICENSE, docs/testing.md"),
        ({"beside": [".env"]}, "has, though it should not, .env"),
        ({"beside": [".ci/run"]}, "has, though it should not, .ci/run"),
    ],
)
def test_a_source_archive_that_is_not(sdist, changes, says):
    with pytest.raises(WrongContentsError, match=says):
        check_sdist(sdist(**changes), ROOT)
