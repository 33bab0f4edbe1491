"""Schemas of tools as sent: one that a provider could not take is left out, with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent_core.domain.model_adapter import ModelRequest
from agent_core.llm.requests.provider_request import refused_tools, to_provider_request
from agent_core.llm.requests.provider_rules import RULES
from agent_core.llm.requests.tool_schemas import sent_schema

HI = {"role": "user", "content": "Hi"}


def recursive(width: int) -> dict[str, Any]:
    node = {f"p{n}": {"$ref": f"#/$defs/N{n}"} for n in range(width)}
    definitions = {f"N{n}": {"type": "object", "properties": node} for n in range(width)}
    return {"type": "object", "properties": {"root": {"$ref": "#/$defs/N0"}}, "$defs": definitions}


def tool(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


def test_schema_that_explodes_is_left_out_with_a_reason(caplog: pytest.LogCaptureFixture):
    tools = [tool("clock", {"type": "object", "properties": {}}), tool("tree", recursive(12))]
    assert len(json.dumps(tools)) < 20_000
    sent = to_provider_request(ModelRequest([HI], tools), RULES["gemini"], model="gemini/gemini-2.5-flash")
    assert [each["function"]["name"] for each in sent.tools] == ["clock"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "tree" in caplog.text
    assert "bytes" in caplog.text
    to_provider_request(ModelRequest([HI], tools), RULES["gemini"], model="gemini/gemini-2.5-flash")
    assert len(caplog.records) == 1, "it is said once"
    assert to_provider_request(ModelRequest([HI], tools), RULES["openai"]).tools == tools


def test_schema_that_is_long_by_itself_is_left_out_everywhere():
    long = {"type": "object", "properties": {"x": {"enum": ["v" * 100] * 1_000}}}
    for rules in RULES.values():
        assert list(refused_tools([tool("long", long)], rules)) == ["long"]


def test_schema_that_merely_refers_to_itself_is_kept():
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "value": {"type": "string"}}}
    schema = {"type": "object", "properties": {"first": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}
    assert refused_tools([tool("list", schema)], RULES["gemini"]) == {}
    assert len(json.dumps(sent_schema(schema, RULES["gemini"]))) < 1_000


TEXT = {"type": "string"}
KINDS = {
    "draft 4": {
        "type": "object",
        "properties": {"x": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
    },
    "draft 7": {
        "type": "object",
        "properties": {"x": {"type": "array", "items": [TEXT], "additionalItems": False}},
    },
    "alternatives": {
        "oneOf": [
            {"properties": {"x": {"const": "a"}, "y": TEXT}, "required": ["x", "y"]},
            {"properties": {"x": {"const": "b"}}, "required": ["x"]},
        ]
    },
    "a reference": {"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"properties": {"x": TEXT}}}},
    "all of": {"allOf": [{"$ref": "#/definitions/X"}], "definitions": {"X": {"properties": {"x": TEXT}}}},
    "conditions": {
        "properties": {"x": TEXT},
        "if": {"required": ["x"]},
        "then": {"maxProperties": 1},
        "not": {"required": ["y"]},
        "enum": [{"x": "a"}],
    },
    "its own address": {
        "$id": "https://example.org/s",
        "properties": {"x": {"$ref": "https://example.org/s#/$defs/X"}},
        "$defs": {"X": TEXT},
    },
    "no JSON": {"properties": {"x": {"default": float("nan"), "description": "\ud800"}}},
    "a list of anything": {"properties": {"x": {"type": ["array", "null"]}}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_schema_of_any_kind_is_sent_in_a_form_that_each_provider_accepts(kind: str):
    for name, rules in RULES.items():
        sent = sent_schema(KINDS[kind], rules)
        json.dumps(sent, allow_nan=False, ensure_ascii=False).encode()
        Draft202012Validator.check_schema(sent)
        assert sent["type"] == "object"
        assert list(sent["properties"])[:1] == ["x"], name
        assert not sent.keys() & {"anyOf", "oneOf", "allOf", "not", "enum", "if", "then", "$ref", "$id"}
        assert all("items" in one for one in sent["properties"].values() if "array" in one.get("type", ""))
    assert ("$ref" in json.dumps(sent_schema(KINDS[kind], RULES["gemini"]))) is False


GEMINI = {
    "a value": ({"const": "a"}, {"type": "string", "enum": ["a"]}),
    "values": ({"enum": ["a", "", None]}, {"type": "string", "enum": ["a"], "nullable": True}),
    "numbers": ({"enum": [1.5, 2]}, {"type": ["number", "integer"], "description": "One of 1.5, 2."}),
    "one of": (
        {"oneOf": [TEXT, {"const": 5}]},
        {"anyOf": [TEXT, {"type": "integer", "enum": [5], "description": "One of 5."}]},
    ),
    "all of": ({"allOf": [{"properties": {"a": TEXT}}, TEXT]}, {"type": "string", "properties": {"a": TEXT}}),
    "a tuple": (
        {"prefixItems": [TEXT, {"type": "integer"}]},
        {"items": {"anyOf": [TEXT, {"type": "integer"}]}},
    ),
    "a path": ({"$ref": "#/properties/y/items"}, TEXT),
    "an anchor": ({"$ref": "#text"}, {"$anchor": "text", **TEXT}),
    "itself": ({"$ref": "#/properties/x"}, {"type": "object"}),
    "an unknown argument": (
        {"properties": {"a": TEXT}, "required": ["a", "b"]},
        {"properties": {"a": TEXT}, "required": ["a"]},
    ),
}


@pytest.mark.parametrize(("given", "sent"), GEMINI.values(), ids=GEMINI)
def test_schema_for_gemini_says_the_same_in_its_subset(given: Any, sent: Any):
    schema = {
        "properties": {"x": given, "y": {"type": "array", "items": TEXT}},
        "$defs": {"T": {"$anchor": "text", **TEXT}},
    }
    assert sent_schema(schema, RULES["gemini"])["properties"]["x"] == sent


def test_tool_whose_arguments_have_names_that_a_provider_refuses_is_left_out():
    odd = tool("odd", {"properties": {"größe": TEXT}})
    refusing = [name for name, rules in RULES.items() if refused_tools([odd], rules)]
    assert refusing == ["anthropic"]


def test_alternatives_that_double_at_each_reference_are_left_out():
    twice = {f"A{n}": {"anyOf": [{"$ref": f"#/$defs/A{n + 1}"}] * 2} for n in range(40)}
    schemas = [{"anyOf": [{"$ref": "#/$defs/A0"}], "$defs": twice}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]
    for rules in RULES.values():
        assert [*refused_tools([tool(f"t{n}", each) for n, each in enumerate(schemas)], rules)] == [
            "t0",
            "t1",
            "t2",
        ]
