"""Test helpers of `agent_core.testing`: the scripted model, the fake clock and `eventually`."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.llm import Finish, ModelEvent, ModelRequest, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from agent_core.testing import FakeClock, Reasoning, ScriptedModel, ToolUse, eventually

HELLO = [{"role": "user", "content": "hello"}]


async def ask(model: ScriptedModel, messages: list[dict[str, Any]] | None = None) -> list[ModelEvent]:
    return [event async for event in model.stream(ModelRequest(messages or HELLO))]


def called(*ids: str) -> dict[str, Any]:
    calls = [{"id": id, "type": "function", "function": {"name": "t", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def outcome(id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": "done"}


async def test_turns_are_answered_in_order_and_requests_recorded():
    model = ScriptedModel([["one", 0.0, Reasoning("hm")], [ToolUse("t", {"a": 1}, id="c")]])
    assert await ask(model) == [TextDelta("one"), ReasoningDelta("hm"), Finish("stop")]
    assert await ask(model) == [
        ToolCallDelta(0, "c", "t", ""),
        ToolCallDelta(0, None, None, '{"a": 1}'),
        Finish("tool-calls"),
    ]
    assert model.requests == [HELLO, HELLO]


async def test_a_callable_is_given_the_messages():
    model = ScriptedModel(lambda messages: [messages[-1]["content"].upper()])
    assert (await ask(model))[0] == TextDelta("HELLO")

    async def later(messages: list[dict[str, Any]]) -> list[str]:
        await asyncio.sleep(0)
        return [str(len(messages))]

    assert (await ask(ScriptedModel(later)))[0] == TextDelta("1")


async def test_usage_and_finish_can_be_scripted():
    usage = Usage(1, 2, 3)
    assert await ask(ScriptedModel([["x", usage, Finish("length")]])) == [
        TextDelta("x"),
        usage,
        Finish("length"),
    ]


async def test_an_exhausted_script_is_a_clear_error():
    model = ScriptedModel([["only one"]])
    await ask(model)
    with pytest.raises(ModelError, match="no turn for request 2"):
        await ask(model)


async def test_exceptions_are_raised_where_they_stand():
    mine = ModelError("Slow down.", kind="rate_limited", retryable=True)
    model = ScriptedModel([[mine], ["said", ValueError("boom")]])
    with pytest.raises(ModelError) as caught:
        await ask(model)
    assert caught.value is mine
    events = model.stream(ModelRequest(HELLO))
    assert await anext(events) == TextDelta("said")
    with pytest.raises(ModelError, match="boom") as caught:
        await anext(events)
    assert caught.value.kind == "unknown"


@pytest.mark.unpaired
@pytest.mark.parametrize(
    "messages",
    [
        [*HELLO, called("a")],
        [*HELLO, called("a", "b"), outcome("a")],
        [*HELLO, called("a"), *HELLO, outcome("a")],
        [*HELLO, outcome("a")],
        [*HELLO, called("a"), outcome("a"), outcome("a")],
        [*HELLO, called("a", "a"), outcome("a")],
        [*HELLO, called("a"), outcome("b")],
        [*HELLO, {"role": "assistant", "content": ""}],
    ],
    ids=["dangling", "half", "late", "orphan", "twice", "doubled id", "wrong id", "empty"],
)
async def test_a_history_that_a_strict_provider_refuses_is_refused(messages: list[dict[str, Any]]):
    model = ScriptedModel([["never"]])
    with pytest.raises(ModelError) as caught:
        await ask(model, messages)
    assert caught.value.kind == "invalid_request"
    assert len(model.violations) == 1


async def test_a_paired_history_is_accepted():
    model = ScriptedModel([["fine"]])
    await ask(
        model, [*HELLO, called("a", "b"), outcome("b"), outcome("a"), {"role": "assistant", "content": "so"}]
    )
    assert model.violations == []


def test_many_threads_share_one_script_and_no_turn_is_given_twice():
    model = ScriptedModel([[str(number)] for number in range(400)])
    heard: list[str] = []

    def worker() -> None:
        for _ in range(50):
            event = asyncio.run(ask(model))[0]
            assert isinstance(event, TextDelta)
            heard.append(event.text)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard, key=int) == [str(number) for number in range(400)]
    assert len(model.requests) == 400


def test_the_clock_moves_only_when_told():
    clock = FakeClock(100.0)
    assert clock.now() == clock.now() == 100.0
    clock.advance(2.5)
    assert clock.now() == 102.5


async def test_eventually_waits_and_gives_the_value():
    values = iter([0, None, "", "here"])
    assert await eventually(lambda: next(values)) == "here"

    async def slowly() -> bool:
        return True

    assert await eventually(slowly) is True
    with pytest.raises(AssertionError, match=r"Not true within 0\.05 s: 0"):
        await eventually(lambda: 0, timeout=0.05)
