"""Repair of arguments written as text: only unambiguous text is converted, and before any approval."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agent_core import AgentApi, create_action_tool
from agent_core.errors import ValidationError
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import Tool, action_tool, parse_arguments
from agent_core.tools.arguments import repaired
from agent_core.tools.json_schema import JsonSchema
from tests.support.agents import agent_on, finished, tool_parts


class Colour(enum.StrEnum):
    RED = "red"


class Place(BaseModel):
    name: str
    level: int = 0
    parts: list[Place] = []


class Arguments(BaseModel):
    numbers: list[int] = []
    words: list[str] = []
    place: Place | None = None
    count: int = 0
    share: float = 0.0
    yes: bool = False
    text: str = ""
    either: str | list[int] = ""
    number_or_none: int | None = None
    day: datetime.date | None = None
    price: decimal.Decimal = decimal.Decimal(0)
    colour: Colour = Colour.RED
    anything: Any = None
    by_name: dict[str, int] = {}
    one_of: int | bool | None = None
    pair: tuple[int, str] | None = None


async def _take(given: Arguments) -> None: ...


TAKES = create_action_tool(name="take", description="Take.", args=Arguments, handler=_take)
STRICT = Tool("take", "Take.", JsonSchema(Arguments.model_json_schema()), _take)
both = pytest.mark.parametrize("tool", [TAKES, STRICT], ids=["pydantic", "schema"])


@both
@pytest.mark.parametrize(
    ("field", "written", "meant"),
    [
        ("numbers", "[1, 2]", [1, 2]),
        ("numbers", ' ["1", "2"] ', [1, 2]),
        ("numbers", ["1", 2], [1, 2]),
        ("words", '["a", "5"]', ["a", "5"]),
        ("words", "[]", []),
        ("words", "['a', 'it\\'s']", ["a", "it's"]),
        ("numbers", "```json\n[1, 2]\n```", [1, 2]),
        ("numbers", '"[1, 2]"', [1, 2]),
        ("place", "{'name': 'Rome', 'parts': []}", {"name": "Rome", "parts": []}),
        ("place", '{"name": "Rome", "level": "3"}', {"name": "Rome", "level": 3}),
        ("place", {"name": "5", "parts": '[{"name": "x"}]'}, {"name": "5", "parts": [{"name": "x"}]}),
        ("place", "null", None),
        ("count", "5", 5),
        ("count", "-5", -5),
        ("count", "5.0", 5),
        ("share", "0.5", 0.5),
        ("share", "1e3", 1000.0),
        ("yes", "true", True),
        ("yes", "False", False),
        ("number_or_none", "7", 7),
        ("number_or_none", "None", None),
        ("by_name", '{"a": "1"}', {"a": 1}),
        ("one_of", "true", True),
        ("one_of", "3", 3),
        ("pair", '["1", "2"]', [1, "2"]),
        ("count", "9007199254740992.0", 2**53),
    ],
)
def test_unambiguous_text_becomes_its_value(tool: Tool, field: str, written: Any, meant: Any):
    taken = parse_arguments(tool, {field: written})
    if isinstance(tool.args_model, JsonSchema):
        assert json.dumps(taken) == json.dumps({field: meant})
    else:  # pydantic accepts some values as written, such as "5" for 5, and they are kept
        assert tool.args_model.model_validate(taken) == tool.args_model.model_validate({field: meant})


@both
@pytest.mark.parametrize(
    "written",
    [
        '```json\n{"numbers": [1]}\n```',
        '{"numbers": [1]}</tool_call>',
        '{"numbers": [1]}<|call|>',
        "{'numbers': [1]}",
        '\ufeff{"numbers": [1]}',
        '{"numbers": [1],}',
    ],
)
def test_arguments_in_other_writing_are_read(tool: Tool, written: str):
    assert parse_arguments(tool, written) == {"numbers": [1]}


@both
def test_null_is_no_arguments(tool: Tool):
    assert parse_arguments(tool, "null") == {}


@both
@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("text", "[1, 2]"),
        ("text", "5"),
        ("text", "true"),
        ("text", "null"),
        ("text", '{"a": 1}'),
        ("either", "[1, 2]"),
        ("day", "2026-01-01"),
        ("colour", "red"),
        ("anything", "[1]"),
        ("words", ["[1]", "true"]),
    ],
)
def test_text_stays_text_where_text_is_taken(tool: Tool, field: str, written: Any):
    assert parse_arguments(tool, {field: written}) == {field: written}


@both
@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("numbers", "1, 2"),
        ("numbers", "[1, 2"),
        ("numbers", '{"a": 1}'),
        ("numbers", '["a"]'),
        ("numbers", "[NaN]"),
        ("numbers", "[1 + 1]"),
        ("words", "('a',)"),
        ("words", "[b'a']"),
        ("words", "[" * 2_000 + "'a'" + "]" * 2_000),
        ("place", "Rome"),
        ("place", '"Rome"'),
        ("count", "five"),
        ("count", ""),
        ("count", "5.5"),
        ("yes", "maybe"),
        ("by_name", "[" * 5_000),
    ],
)
def test_text_that_means_nothing_is_refused_as_it_was_written(tool: Tool, field: str, written: Any):
    with pytest.raises(ValidationError, match=field):
        parse_arguments(tool, {field: written})


@pytest.mark.parametrize(
    ("field", "written"),
    [("share", "NaN"), ("share", "1e999"), ("share", "-Infinity"), ("count", "90071992547409931.0")],
)
def test_number_that_a_float_does_not_hold_stays_text(field: str, written: str):
    with pytest.raises(ValidationError, match=field):
        parse_arguments(STRICT, {field: written})


def test_arguments_that_are_json_in_a_string_are_read():
    assert parse_arguments(TAKES, json.dumps(json.dumps({"count": 1}))) == {"count": 1}
    for raw in ('"[1]"', '"text"', '"\\"{}\\""'):
        with pytest.raises(ValidationError):
            parse_arguments(TAKES, raw)


def test_schemas_that_say_nothing_leave_text_alone():
    for schema in (
        {},
        True,
        None,
        {"allOf": [{"type": "integer"}, {}]},
        {"$ref": "#/nowhere"},
        {"$ref": "x"},
    ):
        assert repaired({"a": "1"}, {"type": "object", "properties": {"a": schema}}) == {"a": "1"}
    turning = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert repaired("1", turning) == "1"


@given(st.text() | st.integers() | st.booleans() | st.none() | st.lists(st.text()))
def test_valid_arguments_stay_as_they_are(value: Any):
    assert repaired({"text": value, "x": value}, TAKES.parameters)["text"] == value


async def test_person_approves_of_the_mended_arguments(path: Path) -> None:
    seen: list[Any] = []

    @action_tool(needs_approval=True)
    async def add(numbers: list[int], note: str) -> int:
        """Add numbers."""
        seen.append((numbers, note))
        return sum(numbers)

    model = ScriptedModel([[ToolUse("add", {"numbers": "[1, 2]", "note": "[3]"})], ["3."]])
    async with agent_on(path, model, tools=[add]) as api:
        thread = await api.create_thread("Go")
        await eventually(lambda: _asks(api, thread.id))
        (part,) = await tool_parts(api, thread)
        assert part["state"] == "approval-requested"
        assert part["input"] == {"numbers": [1, 2], "note": "[3]"}
        await api.approve_tool_calls(thread.id, [part["toolCallId"]])
        await finished(api, thread)
    assert seen == [([1, 2], "[3]")]


async def _asks(api: AgentApi, thread_id: str) -> bool:
    thread = await api.get_thread(thread_id)
    return thread is not None and thread.status == "awaiting_tool_results"
