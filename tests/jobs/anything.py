"""Any JSON that a service may send, with a liking for what has done harm; and what has to be able to write it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

_HARMFUL = [
    "cut \ud83d",
    "\x00",
    "\x1b[31m",
    "::group::x\n::endgroup::",
    "s3://[bucket/x",
    "s3://a\u2100b",
    "s3://b/<1>/<ID>/<ID>",
    "s3://b/<A><B><C><D><E>",
    "9" * 5000,
    "NaN",
    "password",
    "2025-08-14T14:02:47Z",
    "0001-01-01T00:00:00+23:59",
    "START",
    "ß" * 200,
]
# Built when they are needed: hypothesis shows constants, and Python refuses to write such a number.
_numbers = st.integers() | st.integers(-(2**70), 2**70) | st.floats() | st.builds(lambda: 10**5000)
texts = st.text(st.characters(), max_size=20) | st.sampled_from(_HARMFUL)
anything = st.recursive(
    st.none() | st.booleans() | _numbers | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=25,
)


def objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of which some fields have these names, and others any."""
    return st.builds(
        lambda known, others: {**others, **known},
        st.fixed_dictionaries({}, optional=dict.fromkeys(names, anything)),
        st.dictionaries(texts, anything, max_size=3),
    )


def all_encoders_take(value: object) -> None:
    """Make sure that a value gets through Airflow's supervisor, its API and its database."""
    msgspec.msgpack.encode(value)
    json.dumps(value, allow_nan=False)
    written = json.dumps(value, ensure_ascii=False)
    written.encode()
    assert "\\u0000" not in written, "PostgreSQL refuses it"


def is_one_line(text: str, longest: int) -> None:
    """Make sure that a text may be shown."""
    assert text.isprintable(), text
    assert len(text) <= longest
    assert "::group::" not in text
