"""Tool arguments: accepted, or refused in words that the model can act on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from agent_core.errors import ValidationError
from agent_core.tools import action_tool, create_action_tool, parse_arguments
from tests.support.tools import Place, get_weather


@pytest.mark.parametrize("raw", [None, "", "  ", "{}", {}])
def test_tool_without_arguments_has_an_empty_schema(raw: Any):
    assert parse_arguments(action_tool(lambda: 1), raw) == {}


def test_arguments_are_what_was_written():
    assert parse_arguments(get_weather, '{"location": "Rome", "days": "3"}') == {
        "location": "Rome",
        "days": "3",
    }


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("{}", "location: Field required"),
        ('{"location": 5}', "location: Input should be a valid string"),
        ('{"location": "x"}', "location: String should have at least 2 characters"),
        ('{"location": "Rome", "unit": "k"}', "unit: Input should be 'c' or 'f'"),
        ('{"location": "Rome", "near": {}}', "near.name: Field required"),
        ('{"location": "Rome", "city": 1, "town": 2}', "there is no argument city, town"),
        ('{"location": "Rome", "ctx": {}}', "there is no argument ctx"),
        ('{"location": ', "not JSON"),
        ("location=Rome", "not JSON"),
        ('{"location": NaN}', "not JSON"),
        ('{"location": "\\ud800"}', "not JSON"),
        ('{"location": "\ud800"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["Rome"]', "not a JSON object"),
        ("null", "location: Field required"),
        ({"location": b"Rome"}, "not JSON"),
        ({"days": float("nan")}, "not JSON"),
    ],
)
def test_arguments_that_are_not_the_tools_are_refused_for_the_model_to_read(raw: Any, words: str):
    with pytest.raises(ValidationError) as caught:
        parse_arguments(get_weather, raw)
    sentence = str(caught.value)
    assert words in sentence
    assert sentence.startswith("The arguments for get_weather are not acceptable: ")
    assert sentence.endswith("It takes: days, location, near, unit.")


def test_unknown_arguments_are_refused_for_a_custom_model_too():
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    class Aliased(BaseModel):
        from_: str = Field(alias="from")
        to: str = Field(validation_alias=AliasChoices("to", "till"))

    with pytest.raises(ValidationError, match="there is no argument city"):
        parse_arguments(create_action_tool(args=Place, handler=lambda args: 1), '{"name": "x", "city": 1}')
    assert parse_arguments(create_action_tool(args=Open, handler=lambda args: 1), '{"a": 1}') == {"a": 1}
    aliased = create_action_tool(args=Aliased, handler=lambda args: 1)
    assert parse_arguments(aliased, '{"from": "a", "till": "b"}') == {"from": "a", "till": "b"}


json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["location", "unit", "x"]), inner),
).map(json.dumps)


@given(json_texts | st.text())
def test_arguments_are_accepted_or_refused_and_nothing_else(raw: str):
    try:
        arguments = parse_arguments(get_weather, raw)
    except ValidationError:
        return
    assert isinstance(arguments["location"], str)
