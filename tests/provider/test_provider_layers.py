"""Each layer knows only those below it, and importing a sensor stays cheap."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_sentinelhub

PACKAGE = Path(airflow_sentinelhub.__file__).parent
# What a layer may import of the package, besides itself; the order is that of the layers.
ALLOWED = {
    "exceptions": set(),
    "clock": set(),
    "jobs": {"exceptions"},
    "client": {"exceptions", "jobs"},
    "waits": {"exceptions", "jobs"},
    "polling": {"exceptions", "jobs", "waits"},
    "emulator": {"jobs"},
    "hooks": {"exceptions", "clock", "jobs", "client"},
    "results": {"exceptions", "jobs", "client"},
    "triggers": {"exceptions", "clock", "jobs", "client", "waits", "polling", "hooks"},
    "links": {"jobs", "client"},
    "tasks": {"exceptions", "clock", "jobs", "client", "waits", "polling", "hooks", "triggers", "links"},
    "sensors": {
        "exceptions",
        "clock",
        "jobs",
        "client",
        "waits",
        "polling",
        "hooks",
        "triggers",
        "links",
        "tasks",
    },
    "operators": {
        "exceptions",
        "clock",
        "jobs",
        "client",
        "waits",
        "polling",
        "hooks",
        "results",
        "triggers",
        "links",
        "tasks",
    },
    # Airflow loads it in every process, also where no DAG uses this package.
    "plugin": set(),
    "pytest_plugin": {"client", "tasks", "sensors", "emulator"},
}
WITHOUT_AIRFLOW = {"exceptions", "clock", "jobs", "client", "waits", "polling", "emulator"}
HTTP = {"requests", "requests_oauthlib", "oauthlib", "urllib3"}
DOES_IO = {
    "asyncio",
    "io",
    "os",
    "pathlib",
    "random",
    "shutil",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
}


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "airflow_sentinelhub":
                found |= {f"airflow_sentinelhub.{alias.name}" for alias in node.names}
    return found


def files_of(layer: str) -> list[Path]:
    return sorted((PACKAGE / layer).rglob("*.py")) or [PACKAGE / f"{layer}.py"]


@pytest.mark.parametrize("layer", ALLOWED)
def test_layer(layer):
    for file in files_of(layer):
        names = imports(file)
        tops = {name.partition(".")[0] for name in names}
        ours = {name.split(".")[1] for name in names if name.startswith("airflow_sentinelhub.")}
        version = {"__version__"}
        assert ours - version <= ALLOWED[layer] | {layer}, f"{file} reaches above its layer"
        if layer in WITHOUT_AIRFLOW:
            assert "airflow" not in tops, f"{file} imports airflow"
        if layer != "client":
            assert not tops & HTTP, f"{file} speaks HTTP: that is the client's"
        if layer in ("jobs", "exceptions"):
            assert not tops & DOES_IO, f"{file} does I/O or reads a clock"


def test_every_layer_is_known():
    layers = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert layers - {"__init__", "get_provider_info"} == set(ALLOWED)


# Object storage is read in one place, and its libraries are loaded when something is read.
STORAGE = {"fsspec", "upath", "s3fs", "boto3", "botocore", "aiobotocore"}


@pytest.mark.parametrize("layer", ALLOWED)
def test_no_storage_library_is_imported(layer):
    for file in files_of(layer):
        assert not {name.partition(".")[0] for name in imports(file)} & STORAGE, file


IMPORTED_BY_DAGS = ["sensors.batch", "sensors.group", "operators.batch", "operators.tiles"]
UNWANTED_IN_DAGS = (
    *HTTP,
    *STORAGE,
    "airflow.providers.amazon",
    "airflow.providers.standard",
    "sentinelhub",
    "sqlite3",
    "starlette.applications",
    "uvicorn",
    "airflow_sentinelhub.client.batch",
    "airflow_sentinelhub.emulator",
    "airflow_sentinelhub.results",
)


@pytest.fixture(scope="module")
def added_by_imports():
    """What each module adds to those before it, in one process: importing Airflow is what takes long."""
    program = f"""
import importlib, json, sys, airflow.sdk
from airflow.sdk import BaseOperator, BaseSensorOperator
added = {{}}
for module in {IMPORTED_BY_DAGS}:
    before = set(sys.modules)
    importlib.import_module("airflow_sentinelhub." + module)
    added[module] = [name for name in {UNWANTED_IN_DAGS} if name in set(sys.modules) - before]
print(json.dumps(added))
"""
    result = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:airflow_sentinelhub", "-c", program],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("module", IMPORTED_BY_DAGS)
def test_importing_what_a_dag_imports_adds_no_http_library_and_no_extra(added_by_imports, module):
    assert added_by_imports[module] == []
