"""Test tool schemas with references, which litellm expands for Gemini."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest

from agent_core.llm import LitellmModel, ModelRequest
from tests.agent_core.llm.test_tool_schemas import recursive, tool
from tests.providers.dialects import DIALECTS, serving

HI = [{"role": "user", "content": "Hi"}]
PLAIN = tool("plain", {"type": "object", "properties": {"x": {"type": "string"}}})


def body(server: Any) -> str:
    return json.dumps(server.requests[-1])


# Expanded, depth 7 is 400 KB and quickly sent; depth 10 takes minutes.
@pytest.mark.parametrize("depth", [7, 10])
async def test_exploding_schema_is_left_out_and_other_tools_are_sent(depth: int) -> None:
    tools = [PLAIN, tool("tree", recursive(depth))]
    assert len(json.dumps(tools)) < 6_000
    async with serving(DIALECTS["gemini"], ["Hello."]) as server:
        model = LitellmModel(DIALECTS["gemini"].model, **server.options)
        began = time.process_time()
        assert [event async for event in model.stream(ModelRequest(HI, tools))]
        assert time.process_time() - began < 10
    assert '"plain"' in body(server)
    assert '"tree"' not in body(server)
    assert list(model.refused_tools(tools)) == ["tree"]


def diamonds(depth: int, under: str) -> dict[str, Any]:
    """Return a small schema that doubles with each expanded reference."""
    kinds: dict[str, Any] = {f"K{n}": _pair(f"#/{under}/K{n + 1}") for n in range(depth)}
    return {**_pair(f"#/{under}/K0"), under: {**kinds, f"K{depth}": {"type": "string"}}}


def _pair(reference: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"$ref": reference}, "b": {"$ref": reference}}}


@pytest.mark.parametrize("under", ["$defs", "definitions"])
@pytest.mark.parametrize("name", DIALECTS)
async def test_references_are_kept_or_the_tool_is_left_out(name: str, under: str) -> None:
    tools = [PLAIN, tool("diamonds", diamonds(18, under))]
    async with serving(DIALECTS[name], ["Hello."]) as server:
        model = LitellmModel(DIALECTS[name].model, **server.options)
        assert [event async for event in model.stream(ModelRequest(HI, tools))]
        assert len(body(server)) < 10_000
        assert ('"diamonds"' in body(server)) is not bool(model.refused_tools(tools))


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


ODD = {
    "true": {"type": "object", "properties": {"x": True, "y": {"type": "array", "items": True}}},
    "false": {"type": "object", "properties": {"x": False, "y": {"anyOf": [False, {"type": "string"}]}}},
    "an argument called $ref": {"type": "object", "properties": {"$ref": {"type": "string"}}},
    "a tuple of draft 7": {"type": "object", "properties": {"x": {"type": "array", "items": [True]}}},
    "half of a character": {"type": "object", "properties": {"x": {"description": "\ud800"}}},
    "nested": nested(30),
    "nested too deep": nested(200),
    "a chain of references": {
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/K0"}},
        "$defs": {f"K{n}": {"type": "array", "items": {"$ref": f"#/$defs/K{n + 1}"}} for n in range(150)},
    },
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", ["gemini", "anthropic", "openai", "ollama"])
async def test_no_schema_fails_the_request(name: str, what: str) -> None:
    tools = [PLAIN, tool("odd", ODD[what])]
    async with serving(DIALECTS[name], ["Hello."]) as server:
        model = LitellmModel(DIALECTS[name].model, **server.options)
        assert [event async for event in model.stream(ModelRequest(HI, tools))]
        assert '"plain"' in body(server)
        assert ('"odd"' in body(server)) is not bool(model.refused_tools(tools))


async def test_request_leaves_the_agents_schemas_as_they_are() -> None:
    """Otherwise the next model would get the schemas that were expanded for this one."""
    tools = [PLAIN, tool("tree", recursive(3))]
    before = copy.deepcopy(tools)
    for name in DIALECTS:
        async with serving(DIALECTS[name], ["Hello."]) as server:
            model = LitellmModel(DIALECTS[name].model, **server.options)
            assert [event async for event in model.stream(ModelRequest(HI, tools))]
            assert tools == before, name
            assert '"tree"' in body(server)
