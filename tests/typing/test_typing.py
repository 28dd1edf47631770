"""Type checkers see what a DAG's author gets wrong, and leave alone what is right."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.operators import batch as operators
from airflow_sentinelhub.sensors import batch as sensors
from airflow_sentinelhub.sensors.group import SentinelHubBatchGroupSensor
from airflow_sentinelhub.triggers.batch import SentinelHubBatchTrigger
from airflow_sentinelhub.triggers.event import SentinelHubBatchEventTrigger
from airflow_sentinelhub.triggers.group import SentinelHubBatchGroupTrigger

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYRIGHT = str(Path(sys.executable).parent / "basedpyright")
WRONG, RIGHT = HERE / "wrong_dags.py", HERE / "right_dags.py"

PUBLIC = [
    *(getattr(operators, name) for name in operators.__all__),
    *(
        each
        for name, each in vars(sensors).items()
        if name.startswith("SentinelHubBatch") and name.endswith("Sensor")
    ),
    SentinelHubBatchGroupSensor,
    SentinelHubBatchTrigger,
    SentinelHubBatchGroupTrigger,
    SentinelHubBatchEventTrigger,
    SentinelHubHook,
]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_every_argument_of_ours_is_in_the_signature(public):
    ours = {
        name: parameter.annotation
        for each in public.__mro__
        if each.__module__.startswith("airflow_sentinelhub") and "__init__" in vars(each)
        for name, parameter in inspect.signature(each.__init__).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD and name != "self"
    }
    shown = inspect.signature(public.__init__).parameters
    assert ours.keys() <= shown.keys()
    assert all(shown[name].annotation is not inspect.Parameter.empty for name in ours)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ({"stall_timout": 5}, "did you mean stall_timeout?"),
        ({"poll_interval": 5}, "did you mean poke_interval?"),
        ({"request": "id"}, "did you mean request_id?"),
        ({"execution_timout": 5}, "did you mean execution_timeout?"),
        ({"xyzzy": 5}, "has no argument 'xyzzy'."),
    ],
)
@pytest.mark.parametrize(
    "make", [sensors.SentinelHubBatchProcessJobSensor, sensors.SentinelHubBatchJobSensor.partial]
)
def test_a_misspelt_argument_is_refused_with_what_was_meant(make, misspelt, meant):
    with pytest.raises(TypeError, match=re.escape(meant)) as refused:
        make(task_id="wait", **({} if "partial" in str(make) else {"request_id": "a"}), **misspelt)
    assert str(refused.value).startswith(
        ("SentinelHubBatchProcessJobSensor (task wait)", "SentinelHubBatchJobSensor")
    )


@pytest.mark.parametrize("operator", [getattr(operators, name) for name in operators.__all__], ids=str)
def test_operators_do_the_same(operator):
    given = {
        name: "a" for name in ("request", "request_id") if name in inspect.signature(operator.__init__).parameters
    }
    with pytest.raises(
        TypeError, match=r"\(task act\) has no argument 'sentinelhub_con_id': did you mean sentinelhub_conn_id"
    ):
        operator(task_id="act", **given, sentinelhub_con_id="b")
    with pytest.raises(TypeError, match="did you mean sentinelhub_conn_id"):
        operator.partial(task_id="act", sentinelhub_con_id="b")


def test_a_subclass_of_a_user_may_have_arguments_of_its_own():
    class Patient(sensors.SentinelHubBatchProcessJobSensor):
        def __init__(self, *, patience, **kwargs):
            super().__init__(timeout=patience, **kwargs)

    assert Patient(task_id="wait", request_id="a", patience=5).timeout == 5
    with pytest.raises(TypeError, match="did you mean patience"):
        Patient(task_id="wait", request_id="a", patience=5, patiense=5)


def run_mypy():
    """Return the lines of each file in which mypy finds an error."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--show-error-codes", str(WRONG), str(RIGHT)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert errors, done.stdout + done.stderr
    return [(Path(line.split(":")[0]).name, int(line.split(":")[1]), line) for line in errors]


def run_pyright():
    """Return the same for pyright."""
    done = subprocess.run(
        [PYRIGHT, "-p", str(HERE), "--outputjson", "--pythonpath", sys.executable],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
        for each in found
        if each["severity"] == "error"
    ]


@pytest.mark.parametrize("check", [run_mypy, run_pyright])
def test_a_type_checker_finds_the_mistakes_and_nothing_else(check):
    found = check()
    right = [message for name, _, message in found if name == RIGHT.name]
    assert not right
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")}
    assert len(wrong) > 15
    assert {number for name, number, _ in found if name == WRONG.name} == wrong, found
