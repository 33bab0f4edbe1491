"""Tool results: JSON that reads back unchanged, or a refusal in one sentence."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.domain.field_limits import MAX_RESULT_BYTES
from agent_core.errors import ValidationError
from agent_core.tools import encode_result
from tests.support.tools import Place


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    when: datetime.datetime


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("ü", '"ü"'),
        ({"a": [1, 2.5, True, None]}, '{"a":[1,2.5,true,null]}'),
        ((1, 2), "[1,2]"),
        ({3}, "[3]"),
        (Place(name="Rome"), '{"name":"Rome","title":""}'),
        (
            [Point(1, datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC))],
            '[{"x":1,"when":"2026-11-22T00:00:00+00:00"}]',
        ),
        (datetime.date(2026, 11, 22), '"2026-11-22"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (decimal.Decimal("1.10"), '"1.10"'),
        (pathlib.PurePosixPath("a/b"), '"a/b"'),
        (Colour.RED, '"red"'),
        ("a\0b", '"a\ufffdb"'),
        ("a\\u0000b", '"a\\\\u0000b"'),
        ({"\0": "\ud800"}, '{"\ufffd":"\ufffd"}'),
        ([[]] * 300, f"[{','.join(['[]'] * 300)}]"),
    ],
)
def test_a_result_is_json(value: Any, text: str):
    assert encode_result(value) == text


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = {"a": [value]}
    return value


circle: list[Any] = []
circle.append(circle)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "not JSON"),
        ({"a": float("inf")}, "not JSON"),
        (b"bytes", "holds a bytes"),
        ([bytearray(b"x")], "holds a bytearray"),
        (object(), "holds a object"),
        (int, "holds a type"),
        ({(1, 2): 3}, "keys must be"),
        (range(3).__iter__(), "holds a range_iterator"),
        (circle, "not JSON|holds itself"),
        (deep(150), "not JSON|too deep"),
        (deep(100_000), "too deep"),
        ("x" * MAX_RESULT_BYTES, "bytes long; the limit is 1,048,576"),
        ("ü" * (MAX_RESULT_BYTES // 2), "bytes long"),
    ],
)
def test_values_that_are_no_result_are_refused_with_a_sentence(value: Any, words: str):
    with pytest.raises(ValidationError, match=words):
        encode_result(value)


def test_a_result_may_be_as_long_as_the_limit():
    assert len(encode_result("x" * (MAX_RESULT_BYTES - 2))) == MAX_RESULT_BYTES


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_result_reads_as_it_was(value: Any):
    text = encode_result(value)
    text.encode()
    if "\\u0000" not in json.dumps(value):
        assert json.loads(text) == value
