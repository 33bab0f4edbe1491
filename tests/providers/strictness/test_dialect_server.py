"""Test the loopback dialects: litellm reads them; they accept their own steps and refuse broken ones."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from agent_core.llm import Finish, LitellmModel, ModelRequest, TextDelta, ToolCallDelta, Usage
from tests.providers.dialects import DIALECTS, Dialect, Thought, Use, serving
from tests.providers.dialects.anthropic import block
from tests.providers.dialects.script import Json

every_dialect = pytest.mark.parametrize("name", DIALECTS)

STEP = [Thought("Let me see."), "It is ", Use("clock", {"zone": "UTC"})]
TOOL = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "Tell the time.",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
    },
}


@every_dialect
async def test_dialect_is_understood_over_the_wire(name: str) -> None:
    async with serving(DIALECTS[name], STEP) as server:
        model = LitellmModel(server.dialect.model, **server.options)
        request = ModelRequest([{"role": "user", "content": "What time is it?"}], [TOOL])
        events = [event async for event in model.stream(request)]
    assert server.violations == []
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert (text, calls[0].name) == ("It is ", "clock")
    assert json.loads("".join(call.arguments for call in calls)) == {"zone": "UTC"}
    assert isinstance(events[-1], Finish)
    assert isinstance(events[-2], Usage)


def returned(dialect: Dialect, items: list[Any]) -> tuple[str, list[Json]]:
    """Return the key and value of a history with the dialect's own step, unchanged, and its outcome."""
    whole = dialect.whole(items)
    use = next(item for item in items if isinstance(item, Use))
    if name_of(dialect) == "anthropic":
        outcome = {"type": "tool_result", "tool_use_id": use.id, "content": "12"}
        return "messages", [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [block(item) for item in items]},
            {"role": "user", "content": [outcome]},
        ]
    if name_of(dialect).startswith("gemini") and name_of(dialect) != "gemini-openai":
        call = whole["candidates"][0]["content"]["parts"][-1]["functionCall"]
        response = {"response": {"content": "12"}, **{k: call[k] for k in ("name", "id") if k in call}}
        return "contents", [
            {"role": "user", "parts": [{"text": "Hi"}]},
            whole["candidates"][0]["content"],
            {"role": "user", "parts": [{"functionResponse": response}]},
        ]
    if name_of(dialect) == "responses":
        told = {"type": "function_call_output", "call_id": use.id, "output": "12"}
        return "input", [{"role": "user", "content": "Hi"}, *whole["output"], told]
    message = whole["message"] if "message" in whole else whole["choices"][0]["message"]
    if name_of(dialect) == "gemini-openai":
        message["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": use.signature}}
    told = {"role": "tool", "content": "12", "tool_call_id": use.id}
    return "messages", [{"role": "user", "content": "Hi"}, message, told]


def name_of(dialect: Dialect) -> str:
    return next(name for name, known in DIALECTS.items() if known is dialect)


@every_dialect
async def test_dialect_takes_its_own_step_back_and_refuses_it_without_its_outcome(name: str) -> None:
    dialect = DIALECTS[name]
    async with serving(dialect, STEP, ["Well."], ["Well."]) as server:
        key, history = returned(dialect, dialect.prepared(STEP, 0))
        assert (await post(server.url, {key: history[:1]})).status_code == 200
        assert (await post(server.url, {key: history})).status_code == 200
        assert server.violations == []
        assert (await post(server.url, {key: history[:-1]})).status_code == 400
    assert len(server.violations) >= 1
    assert len(server.requests) == 3


RETURNS = ["responses", "anthropic", "gemini", "gemini-openai", "deepseek", "openrouter", "vllm", "moonshot"]


@pytest.mark.parametrize("name", RETURNS)
async def test_dialect_refuses_a_step_of_its_own_without_what_must_come_back(name: str) -> None:
    dialect = DIALECTS[name]
    async with serving(dialect, STEP, ["Well."]) as server:
        key, history = returned(dialect, dialect.prepared(STEP, 0))
        await post(server.url, {key: history[:1]})
        response = await post(server.url, {key: _without_signs(history)})
    assert response.status_code == 400
    assert len(server.violations) == 1
    assert server.violations[0] in json.dumps(response.json(), ensure_ascii=False).replace('\\"', '"')


def _without_signs(value: Any) -> Any:
    """Return a history without signatures, reasoning and thinking blocks."""
    signs = {
        "signature",
        "thoughtSignature",
        "extra_content",
        "reasoning_content",
        "reasoning",
        "reasoning_details",
    }
    if isinstance(value, dict):
        return {key: _without_signs(each) for key, each in value.items() if key not in signs}
    if isinstance(value, list):
        thoughts = ("thinking", "reasoning")
        kept = [each for each in value if not (isinstance(each, dict) and each.get("type") in thoughts)]
        return [_without_signs(each) for each in kept]
    return value


async def post(url: str, body: Json) -> httpx.Response:
    paths = {"contents": "/v1beta/models/gemini:streamGenerateContent", "input": "/responses"}
    path = paths.get(next(iter(body)), "/chat/completions")
    send = {"model": "m", **body}
    return await asyncio.to_thread(httpx.post, url + path, json=send, trust_env=False)


async def test_dialects_refuse_names_ids_fields_and_order_of_others() -> None:
    def asked(**call: Any) -> Json:
        function = {"name": "clock", "arguments": "{}"} | call.pop("function", {})
        step = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "function": function} | call],
        }
        told = {"role": "tool", "tool_call_id": step["tool_calls"][0]["id"], "content": "12"}
        return {"messages": [{"role": "user", "content": "Hi"}, step | call.pop("step", {}), told]}

    def found(name: str, request: Json) -> str:
        return "\n".join(DIALECTS[name].check(request, []))

    assert "does not match pattern" in found("openai", asked(function={"name": "a b"}))
    assert "string too long" in found("openai", asked(id="c" * 41))
    assert "length of 9" in found("mistral", asked())
    history = asked(id="a12345678")
    assert found("mistral", history) == ""
    history["messages"].append({"role": "user", "content": "And?"})
    assert found("mistral", history) == "Unexpected role 'user' after role 'tool'"
    history["messages"][1]["reasoning_content"] = "Hm."
    assert "Extra inputs are not permitted" in found("mistral", history)
    assert "is unsupported" in found("groq", history)
    assert "is unsupported" in found("cerebras", history)
    assert found("openai", history) == ""
    assert "missing a thought_signature" in found("gemini-openai", history)
