"""The project's schemas say what Sentinel Hub's own document says, where that is at hand."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest

from airflow_sentinelhub.emulator.schemas import load_document
from tests.harness import requirements
from tests.harness.openapi_check import at
from tests.harness.openapi_compare import Comparison, Difference
from tests.harness.openapi_official import (
    MISTAKES,
    UNMENTIONED,
    is_at_hand,
    official_check,
    read_document,
)

if not is_at_hand():
    pytest.skip(requirements.OPENAPI_DOCUMENT, allow_module_level=True)

# Where ours says something else on purpose: the way to it, what, and why.
ON_PURPOSE = [
    (
        r"\w+ /api/v1/\S+ query",
        "names",
        "the document no longer has V1: compared is what the notes say of its answers",
    ),
    (r"\w+ /api/v1/\S+ request", "body", "the same"),
    (r"GET /api/v1/\S+/tiles\S* 200\S*", "names", "the same; of tiles only their origin is left"),
    (r".* 40[13]", "body", "2.1: the document has none, the service was seen with one"),
    (r".* 4\d\d", "required", "an error that is neither there nor wrapped is none"),
    (r".* 4\d\d\.error\.code", "enum", "ours leaves out the codes for payments and mail"),
    (r".*\.bins(\[\])?", "minItems", "the document says of each number what it means of all"),
]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return Comparison(load_document(), official_check().document)


def is_on_purpose(difference: Difference) -> bool:
    where, what, *_ = difference
    if what.startswith("status "):
        status = int(what.removeprefix("status "))
        known = where.replace("{}", "{id}")
        return difference.ours is True and any(
            each.status == status and re.fullmatch(each.where, known) for each in UNMENTIONED
        )
    return any(what == known and re.fullmatch(pattern, where) for pattern, known, _ in ON_PURPOSE)


def test_both_documents_say_the_same(comparison: Comparison) -> None:
    assert [each for each in comparison.differences() if not is_on_purpose(each)] == []


def test_ours_has_every_operation_of_the_batch_apis(comparison: Comparison) -> None:
    assert comparison.missing_operations(re.compile(r"^/(batch|statistics/batch)/")) == set()


@pytest.mark.parametrize("exemption", ON_PURPOSE, ids=lambda each: f"{each[0]} {each[1]}")
def test_an_exemption_that_nothing_needs_leaves_the_list(comparison: Comparison, exemption: Any) -> None:
    pattern, what, _ = exemption
    assert any(each.what == what and re.fullmatch(pattern, each.where) for each in comparison.differences())


CHANGES = [
    ("ProcessJob/properties/status", lambda part: part["enum"].append("PARTIAL"), "enum"),
    ("ProcessRequest/properties/processRequest", lambda part: part["required"].remove("evalscript"), "required"),
    ("ProcessJob/properties/completionPercentage", lambda part: part.update(type="string"), "type"),
    ("StatisticalJob/properties/created", lambda part: part.pop("format"), "format"),
    ("StatisticalStatus/properties", lambda part: part.update(userAction={"type": "string"}), "names"),
    ("ProcessInput/oneOf/1/properties/defaults/properties/width", lambda part: part.pop("maximum"), "maximum"),
    ("ProcessOutput/oneOf/1", lambda part: part["required"].remove("group"), "required"),
    ("DataSet/properties/dataFilter/properties/tiers", lambda part: part["enum"].remove("TIER_1"), "enum"),
]


@pytest.mark.parametrize(("pointer", "change", "what"), CHANGES, ids=[each[0] for each in CHANGES])
def test_a_schema_that_is_wrong_is_noticed(pointer: str, change: Any, what: str) -> None:
    document = deepcopy(load_document())
    part: Any = document["components"]["schemas"]
    for name in pointer.split("/"):
        part = part[int(name)] if isinstance(part, list) else part[name]
    change(part)
    found = [
        each for each in Comparison(document, official_check().document).differences() if not is_on_purpose(each)
    ]
    assert what in {each.what for each in found}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each[0].rpartition("/")[2])
def test_a_mistake_that_the_document_no_longer_makes_leaves_the_list(mistake: Any) -> None:
    pointer, mend, _ = mistake
    part = at(read_document(), pointer)
    before = deepcopy(part)
    mend(part)
    assert part != before
    assert len(set(part.get("enum", []))) == len(part.get("enum", []))
