"""Schemas of tools as sent: one that a provider could not take is left out, with a reason."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

import pytest

from agent_core.domain.model_adapter import ModelRequest
from agent_core.llm.requests.provider_request import (
    MAX_SCHEMA_BYTES,
    refused_tools,
    schema_nodes,
    to_provider_request,
)
from agent_core.llm.requests.provider_rules import RULES

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
    assert sum(size for size, _, _ in schema_nodes(schema, inline=True)) < 1_000


def test_size_of_a_hostile_schema_is_found_at_once():
    sizes = accumulate(size for size, _, _ in schema_nodes(recursive(40), inline=True))
    assert next(size for size in sizes if size > MAX_SCHEMA_BYTES) < MAX_SCHEMA_BYTES + 10_000


# Table of providers
