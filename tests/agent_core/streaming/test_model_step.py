"""Model steps: what becomes of a model's events, in any order and form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.llm import Finish, ModelEvent, ModelRequest, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from agent_core.streaming.fold import fold
from agent_core.streaming.model_step import StepResult, model_step
from agent_core.testing import Reasoning, ScriptedModel, ToolUse

REQUEST = ModelRequest([{"role": "user", "content": "hello"}])


class Events:
    """Adapter that yields the given events, including ones that no well-behaved model sends."""

    name = "events"

    def __init__(self, *events: ModelEvent | Exception) -> None:
        self.events = events
        self.closed = False

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        try:
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                yield event
                await asyncio.sleep(0)
        finally:
            self.closed = True


async def run(
    adapter: Any, taken: set[str] | None = None, *, deltas: bool = False
) -> tuple[list[Any], StepResult]:
    out = [
        item
        async for item in model_step(
            adapter, REQUEST, taken_ids=taken or set(), include_tool_input_deltas=deltas
        )
    ]
    *chunks, result = out
    assert isinstance(result, StepResult)
    assert not any(isinstance(chunk, StepResult) for chunk in chunks)
    return chunks, result


@pytest.mark.parametrize("kind", [TextDelta, ReasoningDelta])
async def test_halves_of_a_character_are_joined_also_as_the_first_deltas(kind: Any):
    _, result = await run(Events(kind("\ud83d"), kind("\ude00!"), TextDelta("Hi"), Finish("stop")))
    assert "".join(part["text"] for part in result.parts if "text" in part) == "😀!Hi"


def kinds(chunks: list[dict[str, Any]]) -> list[str]:
    return [chunk["type"] for chunk in chunks]


async def test_text_reasoning_and_a_call_become_chunks_and_parts():
    model = ScriptedModel(
        [[Reasoning("Let me "), Reasoning("see."), "It ", "is", ToolUse("clock", {"z": 1}, id="c1")]]
    )
    chunks, result = await run(model)
    assert kinds(chunks) == [
        "start-step",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "text-delta",
        "text-end",
        "tool-input-start",
        "tool-input-available",
    ]
    assert [part["type"] for part in result.parts] == ["step-start", "reasoning", "text", "tool-clock"]
    assert result.parts[1]["text"] == "Let me see."
    assert result.parts[2]["text"] == "It is"
    assert result.parts[3]["input"] == {"z": 1}
    assert [(call.id, call.name, call.arguments, call.position) for call in result.tool_requests] == [
        ("c1", "clock", '{"z": 1}', 0)
    ]
    assert result.finish_reason == "tool-calls"


async def test_parts_are_what_the_chunks_fold_to():
    model = ScriptedModel(
        [["a", Reasoning("b"), "c", ToolUse("t", {"x": [1]}), ToolUse("t", "no json"), "d"]]
    )
    for deltas in (False, True):
        model = ScriptedModel(
            [["a", Reasoning("b"), "c", ToolUse("t", {"x": [1]}, "i"), ToolUse("t", "{", "j"), "d"]]
        )
        chunks, result = await run(model, deltas=deltas)
        assert fold(chunks) == result.parts


async def test_ids_of_blocks_are_unique_within_the_step():
    chunks, _ = await run(ScriptedModel([["a", Reasoning("b"), "c", ToolUse("t"), "d"]]))
    starts = [chunk["id"] for chunk in chunks if chunk["type"].endswith("-start") and "id" in chunk]
    assert len(starts) == len(set(starts)) == 4


async def test_nothing_is_yielded_before_the_first_token():
    """A lost attempt's text stays visible until the first token, so the new step must not announce itself."""
    waiting = asyncio.Event()

    class Slow:
        name = "slow"

        async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
            waiting.set()
            await asyncio.sleep(3600)
            yield TextDelta("never")

    steps = model_step(Slow(), REQUEST, taken_ids=(), include_tool_input_deltas=False)
    first = asyncio.ensure_future(anext(steps))
    await waiting.wait()
    await asyncio.sleep(0.01)
    assert not first.done()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize("turn", [["Hi"], [Finish("length")]])
async def test_opening_chunks_follow_the_start_of_their_step(turn: list[Any]):
    note = {"type": "data-context", "data": {"kept": 1}}
    out = [item async for item in model_step(ScriptedModel([turn]), REQUEST, opening=[note])]
    result = out[-1]
    assert isinstance(result, StepResult)
    assert out[:2] == [{"type": "start-step"}, note]
    assert result.parts[:2] == [{"type": "step-start"}, note]


async def test_an_empty_answer_is_none_and_retryable():
    with pytest.raises(ModelError, match="no answer") as caught:
        await run(ScriptedModel([[]]))
    assert (caught.value.kind, caught.value.retryable) == ("truncated", True)


async def test_a_stream_without_finish_is_truncated_and_retryable():
    adapter = Events(TextDelta("half a sent"))
    with pytest.raises(ModelError) as caught:
        await run(adapter)
    assert (caught.value.kind, caught.value.retryable) == ("truncated", True)


async def test_usage_and_an_odd_finish_reason_are_kept():
    usage = Usage(3, 4, 7, cost=0.5)
    _, result = await run(Events(TextDelta("x"), usage, Finish("content-filter")))
    assert result.usage == usage
    assert result.finish_reason == "content-filter"


async def test_calls_count_whatever_the_finish_reason():
    _, result = await run(Events(ToolCallDelta(0, "a", "t", "{}"), Finish("stop")))
    assert [call.name for call in result.tool_requests] == ["t"]


async def test_arguments_arrive_in_pieces_and_calls_interleaved():
    events = (
        ToolCallDelta(0, "a", "one", '{"x"'),
        ToolCallDelta(1, "b", "two", '{"y"'),
        ToolCallDelta(0, None, None, ": 1}"),
        ToolCallDelta(1, None, None, ": 2}"),
        Finish("tool-calls"),
    )
    chunks, result = await run(Events(*events), deltas=True)
    assert [json.loads(call.arguments) for call in result.tool_requests] == [{"x": 1}, {"y": 2}]
    written = [chunk["inputTextDelta"] for chunk in chunks if chunk["type"] == "tool-input-delta"]
    assert written == ['{"x"', '{"y"', ": 1}", ": 2}"]
    chunks, _ = await run(Events(*events))
    assert "tool-input-delta" not in kinds(chunks)


async def test_calls_that_share_an_index_are_told_apart_by_id():
    """Some providers number every call 0."""
    _, result = await run(
        Events(
            ToolCallDelta(0, "a", "t", '{"n":1}'), ToolCallDelta(0, "b", "t", '{"n":2}'), Finish("tool-calls")
        )
    )
    assert [(call.id, call.arguments) for call in result.tool_requests] == [
        ("a", '{"n":1}'),
        ("b", '{"n":2}'),
    ]


async def test_id_and_name_repeated_with_each_fragment_are_one_call():
    _, result = await run(
        Events(ToolCallDelta(0, "a", "t", '{"n":'), ToolCallDelta(0, "a", "t", "1}"), Finish("tool-calls"))
    )
    assert [(call.id, call.arguments) for call in result.tool_requests] == [("a", '{"n":1}')]


async def test_ids_that_are_taken_missing_or_doubled_are_replaced():
    _, result = await run(
        Events(
            ToolCallDelta(0, "old", "t", "{}"),
            ToolCallDelta(1, None, "t", "{}"),
            ToolCallDelta(2, "same", "t", "{}"),
            ToolCallDelta(3, "same", "t", "{}"),
            Finish("tool-calls"),
        ),
        taken={"old"},
    )
    ids = [call.id for call in result.tool_requests]
    assert len(set(ids)) == 4
    assert "old" not in ids
    assert ids[2] == "same"
    assert [part["toolCallId"] for part in result.parts[1:]] == ids


@pytest.mark.parametrize("raw", ["{", "nonsense", '{"x": NaN}', "[" * 5000, '{"a":' * 90 + "1" + "}" * 90])
async def test_arguments_that_are_not_json_are_kept_as_text(raw: str):
    _, result = await run(ScriptedModel([[ToolUse("t", raw, id="c")]]))
    assert result.parts[1]["input"] == raw
    assert result.tool_requests[0].arguments == raw


@pytest.mark.parametrize("raw", ["", "  "])
async def test_missing_arguments_are_an_empty_object(raw: str):
    _, result = await run(Events(ToolCallDelta(0, "a", "t", raw), Finish("tool-calls")))
    assert result.tool_requests[0].arguments == "{}"
    assert result.parts[1]["input"] == {}


async def test_characters_that_no_database_can_hold_are_replaced():
    grin = "\U0001f600"
    high, low = "\ud83d", "\ude00"
    chunks, result = await run(
        Events(
            TextDelta("a\0b"),
            TextDelta("x" + high),
            TextDelta(low + "y"),
            TextDelta(low),
            ToolCallDelta(0, "i\0d", "na\0me", '{"v": "\\u0000", "w": "\\ud83d"}'),
            Finish("tool-calls"),
        )
    )
    assert result.parts[1]["text"] == f"a\ufffdbx{grin}y\ufffd"
    json.dumps([chunks, result.parts], ensure_ascii=False).encode()
    call = result.tool_requests[0]
    assert json.loads(call.arguments) == result.parts[2]["input"] == {"v": "\ufffd", "w": "\ufffd"}
    assert "\0" not in call.id + call.name


async def test_an_adapters_own_fault_becomes_a_model_error():
    with pytest.raises(ModelError, match="ran out of ink") as caught:
        await run(Events(TextDelta("x"), RuntimeError("ran out of ink")))
    assert (caught.value.kind, caught.value.retryable) == ("unknown", False)


async def test_a_model_error_passes_as_it_is():
    error = ModelError("Too many requests.", kind="rate_limited", retryable=True, retry_after=3.0)
    with pytest.raises(ModelError) as caught:
        await run(ScriptedModel([["some words", error]]))
    assert caught.value is error


async def test_closing_the_step_closes_the_model_at_once():
    adapter = Events(*[TextDelta("word ")] * 100, Finish("stop"))
    steps = model_step(adapter, REQUEST, taken_ids=(), include_tool_input_deltas=False)
    await anext(steps)
    assert not adapter.closed
    await steps.aclose()
    assert adapter.closed


async def test_cancelling_the_step_closes_the_model_at_once():
    adapter = Events(*[TextDelta("word ")] * 100_000, Finish("stop"))
    task = asyncio.ensure_future(run(adapter))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert adapter.closed


async def test_reasoning_between_texts_keeps_its_place():
    _, result = await run(
        Events(TextDelta("a"), ReasoningDelta("b"), TextDelta(""), TextDelta("c"), Finish("stop"))
    )
    assert [(part["type"], part.get("text")) for part in result.parts] == [
        ("step-start", None),
        ("text", "a"),
        ("reasoning", "b"),
        ("text", "c"),
    ]
