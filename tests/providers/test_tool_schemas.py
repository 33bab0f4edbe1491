"""Schemas of tools on their way to Gemini, for which litellm writes each reference out."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

from agent_core.llm import LitellmModel, ModelRequest
from tests.agent_core.test_wire import recursive, tool
from tests.providers.dialects import DIALECTS, serving

HI = [{"role": "user", "content": "Hi"}]
PLAIN = tool("plain", {"type": "object", "properties": {"x": {"type": "string"}}})


def body(server: Any) -> str:
    return json.dumps(server.requests[-1])


async def test_schema_that_explodes_stays_here_and_the_rest_is_sent() -> None:
    tools = [PLAIN, tool("tree", recursive(10))]
    assert len(json.dumps(tools)) < 6_000
    async with serving(DIALECTS["gemini"], ["Hello."]) as server:
        model = LitellmModel(DIALECTS["gemini"].model, **server.options)
        began = time.process_time()
        assert [event async for event in model.stream(ModelRequest(HI, tools))]
        assert time.process_time() - began < 10
    assert '"plain"' in body(server)
    assert '"tree"' not in body(server)
    assert list(model.refused_tools(tools)) == ["tree"]


async def test_request_leaves_the_agents_schemas_as_they_are() -> None:
    """Else the next model would be sent what was written out for this one."""
    tools = [PLAIN, tool("tree", recursive(3))]
    before = copy.deepcopy(tools)
    for name in DIALECTS:
        async with serving(DIALECTS[name], ["Hello."]) as server:
            model = LitellmModel(DIALECTS[name].model, **server.options)
            assert [event async for event in model.stream(ModelRequest(HI, tools))]
            assert tools == before, name
            assert '"tree"' in body(server)
