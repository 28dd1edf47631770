"""The project's own description of the service: sound in itself, and true to what the emulator takes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from airflow_sentinelhub.emulator.routing import layouts, tiling_grid_paths
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.schemas import load_document
from airflow_sentinelhub.jobs import BatchApi, UrlLayout
from tests.harness.openapi_check import own_check, resolved

DOCUMENT = load_document()
METHODS = ("get", "post", "put", "delete")
OPERATIONS = [
    (method, path, item[method])
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item
]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [
            found for name, value in part.items() for found in ([value] if name == "$ref" else references(value))
        ]
    return [found for value in part for found in references(value)] if isinstance(part, list) else []


def test_every_schema_is_a_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_nothing_lies_about_unused() -> None:
    used = set(references(DOCUMENT))
    for reference in used:
        assert resolved(DOCUMENT, {"$ref": reference})
    components = {
        f"#/components/{kind}/{name}" for kind, named in DOCUMENT["components"].items() for name in named
    }
    assert components == used


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each[0]} {each[1]}")
def test_every_operation_may_refuse_and_describes_what_it_gives(
    operation: tuple[str, str, dict[str, Any]],
) -> None:
    method, path, described = operation
    assert set(described["responses"]) >= {"401", "403", "405", "413", "415", "429"}
    assert len([status for status in described["responses"] if status.startswith("2")]) == 1
    assert ("requestBody" in described) == (method == "put" or (method, path) in CREATE)


def _path(api: BatchApi) -> str:
    return dict(layouts(api)).get(UrlLayout.NEW, api.path())


CREATE = {("post", _path(api)) for api in BatchApi}


def test_every_path_of_the_emulator_is_described() -> None:
    described = set(DOCUMENT["paths"])
    assert {_path(api) for api in BatchApi} <= described
    assert set(tiling_grid_paths()) - {"/api/v2/batch/tilinggrids"} <= described


@pytest.mark.parametrize("api", BatchApi)
def test_the_examples_of_requests_are_what_the_schemas_describe(api: BatchApi) -> None:
    schema = DOCUMENT["paths"][_path(api)]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert list(validator.iter_errors(sample_request(api))) == []
    assert list(validator.iter_errors({**sample_request(api), "input": [], "processRequest": []}))


def test_checks_do_not_disturb_one_another() -> None:
    assert own_check().document is not own_check().document


def test_serving_does_not_read_the_schemas() -> None:
    code = (
        "import sys, airflow_sentinelhub.emulator.server\n"
        "print(*sorted({'yaml', 'jsonschema', 'airflow_sentinelhub.emulator.schemas'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert ran.stdout.strip() == ""
