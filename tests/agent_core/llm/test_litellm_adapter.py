"""The litellm adapter against a loopback server, with a test for each pitfall found by measurement."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from agent_core.errors import ModelError
from agent_core.llm import (
    Finish,
    LitellmModel,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    register_custom_provider,
)
from agent_core.streaming.model_step import StepResult, model_step
from agent_core.testing import eventually
from tests.providers.loopback import Hang, Stream, call, delta, provider, usage
from tests.support.providers.provider_calls import QUESTION, TOOL, ask, error, failure, model

pytestmark = pytest.mark.usefixtures("both_paths")

# Answers


async def test_text_reasoning_calls_usage_and_price():
    stream = Stream(
        [
            delta("", role="assistant"),
            delta(reasoning_content="Let me see."),
            delta("It is"),
            delta(" late."),
            call(0, "clock", "", id="call_1"),
            call(0, arguments='{"zone": '),
            call(0, arguments='"UTC"}'),
            delta(finish="tool_calls"),
            usage(
                1000,
                100,
                prompt_tokens_details={"cached_tokens": 400},
                completion_tokens_details={"reasoning_tokens": 30},
            ),
        ]
    )
    async with provider(stream) as server:
        events = await ask(model(server), tools=[TOOL], options={"temperature": 0.5})
    assert events[:3] == [ReasoningDelta("Let me see."), TextDelta("It is"), TextDelta(" late.")]
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert calls[0] == ToolCallDelta(0, "call_1", "clock", "")
    assert "".join(event.arguments for event in calls) == '{"zone": "UTC"}'
    counted, finish = events[-2:]
    assert isinstance(counted, Usage)
    assert (counted.input_tokens, counted.output_tokens, counted.total_tokens) == (1000, 100, 1100)
    assert (counted.cached_tokens, counted.reasoning_tokens) == (400, 30)
    # 600 fresh tokens at 0.15, 400 cached at 0.075, 100 written at 0.60 dollars a million.
    assert counted.cost == pytest.approx((600 * 0.15 + 400 * 0.075 + 100 * 0.60) / 1e6)
    assert finish == Finish("tool-calls")


async def test_request_has_what_the_agent_says():
    async with provider(Stream([delta("x", finish="stop")])) as server:
        await ask(model(server, temperature=0.9), tools=[TOOL], options={"temperature": 0.5})
        await ask(model(server, temperature=0.9))
    sent = server.requests[0]
    assert sent["model"] == "gpt-4o-mini"
    assert sent["messages"] == QUESTION
    assert sent["tools"] == [TOOL]
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["temperature"] == 0.5
    assert server.requests[1]["temperature"] == 0.9
    assert "tools" not in server.requests[1]


async def test_options_a_model_does_not_know_do_not_fail_the_call():
    async with provider(Stream([delta("x", finish="stop")])) as server:
        events = await ask(model(server, "openai/gpt-5-mini", temperature=0.2, top_p=0.3))
    assert events[-1] == Finish("stop")
    assert "temperature" not in server.requests[0]


async def test_an_unknown_model_has_no_price_and_an_own_price_wins():
    async with provider(Stream([delta("x", finish="stop"), usage(5, 5)])) as server:
        events = await ask(model(server, "openai/nobody-knows-me"))
    assert events[-2] == Usage(5, 5, 10, cost=None)
    async with provider(Stream([delta("x", finish="stop"), usage(5, 5, cost=0.25)])) as server:
        events = await ask(model(server))
    assert isinstance(events[-2], Usage)
    assert events[-2].cost == 0.25


async def test_a_provider_that_reports_no_usage_gets_none_invented():
    async with provider(Stream([delta("x"), delta(finish="stop")])) as server:
        assert await ask(model(server)) == [TextDelta("x"), Finish("stop")]


async def test_a_thousand_equal_tokens_are_an_answer():
    """litellm takes a hundred equal chunks for a runaway model and fails the request."""
    async with provider(Stream([*[delta("same ")] * 1000, delta(finish="stop")])) as server:
        events = await ask(model(server))
    assert events == [*[TextDelta("same ")] * 1000, Finish("stop")]


async def test_a_mock_response_is_not_taken_for_a_broken_stream():
    events = [
        event async for event in LitellmModel("openai/x", mock_response="hi").stream(ModelRequest(QUESTION))
    ]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "hi"
    assert events[-1] == Finish("stop")


# Endings


@pytest.mark.parametrize("end", ["eof", "done"])
async def test_a_stream_that_ends_without_a_finish_is_truncated(end: str):
    async with provider(Stream([delta("half a sen")], end=end)) as server:
        steps = model_step(
            model(server), ModelRequest(QUESTION), taken_ids=(), include_tool_input_deltas=False
        )
        with pytest.raises(ModelError) as caught:
            [step async for step in steps]
    assert (caught.value.kind, caught.value.retryable) == ("truncated", True)


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (Stream([delta("half")], end="drop"), "network"),
        (Stream([delta("half"), b'data: {"id": \n\n']), "network"),
        (Stream([delta("half"), 30.0]), "network"),
        (Stream([delta("half"), error("Overloaded, sorry", type="server_error")]), "provider_5xx"),
    ],
    ids=["drop", "bad json", "stall", "error event"],
)
async def test_a_stream_that_breaks_may_be_tried_again(stream: Stream, kind: str):
    # The stall gets a short timeout, the others a long one, so that none is taken for a stall.
    found = await failure(stream, timeout=0.5 if 30.0 in stream.events else 20)
    assert (found.kind, found.retryable) == (kind, True)
    if kind == "provider_5xx":
        assert str(found) == "Overloaded, sorry."


async def test_closing_the_stream_ends_the_providers_work_at_once():
    async with provider(Stream([*[delta("word "), 0.01] * 10_000])) as server:
        events = model(server).stream(ModelRequest(QUESTION))
        await anext(events)
        await events.aclose()
        await eventually(lambda: server.disconnects == 1)


async def test_cancelling_ends_the_providers_work_at_once():
    async with provider(Hang()) as server:
        task = asyncio.ensure_future(ask(model(server)))
        await eventually(lambda: server.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: server.disconnects == 1)


# The library


@pytest.mark.parametrize("both_paths", ["direct"], indirect=True)  # the test starts its own process
def test_litellm_is_imported_late_and_quietly():
    """Importing agent_core.llm imports no litellm; warm() imports it in the background without output."""
    script = (
        "import sys, agent_core.llm as llm\n"
        "assert 'litellm' not in sys.modules\n"
        "llm.LitellmModel('openai/x')\n"
        "assert 'litellm' not in sys.modules\n"
        "llm.warm().join()\n"
        "assert 'litellm' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_a_provider_written_in_python_is_read_like_any_other():
    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield ReasoningDelta("hm")
        yield TextDelta(f"{request.options['model']} was offered {request.tools[0]['function']['name']}")
        yield ToolCallDelta(0, "c1", "t", "")
        yield ToolCallDelta(0, None, None, '{"a": 1}')
        yield Usage(1, 2, 3, reasoning_tokens=1)
        yield Finish("tool-calls")

    register_custom_provider("ours", answer)
    steps = model_step(
        LitellmModel("ours/small"),
        ModelRequest(QUESTION, [TOOL]),
        taken_ids=(),
        include_tool_input_deltas=False,
    )
    *_, result = [step async for step in steps]
    assert isinstance(result, StepResult)
    assert [part["type"] for part in result.parts] == ["step-start", "reasoning", "text", "tool-t"]
    assert result.parts[2]["text"] == "small was offered t"
    assert result.parts[3]["input"] == {"a": 1}
    assert result.usage == Usage(1, 2, 3, reasoning_tokens=1)
    assert result.finish_reason == "tool-calls"


async def test_a_provider_written_in_python_may_break_off_and_may_fail():
    async def cut(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("half")

    async def refuse(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("half")
        raise ModelError("Slow down.", kind="rate_limited", retryable=True, retry_after=2.0)

    register_custom_provider("ours", cut)
    assert await ask(LitellmModel("ours/x")) == [TextDelta("half")]
    register_custom_provider("ours", refuse)
    with pytest.raises(ModelError, match="Slow down") as caught:
        await ask(LitellmModel("ours/x"))
    assert (caught.value.kind, caught.value.retry_after) == ("rate_limited", 2.0)


# Forms of answers


@pytest.mark.parametrize(
    ("name", "alone", "with_tools"),
    [
        ("openai/gpt-5-mini", True, True),
        ("anthropic/claude-sonnet-4-5", True, True),
        ("anthropic/claude-3-5-sonnet-20241022", False, False),  # litellm would make a tool of it
        ("gemini/gemini-2.5-flash", True, False),
        ("groq/llama-3.3-70b-versatile", False, False),
        ("deepseek/deepseek-chat", False, False),
        ("ollama_chat/qwen3", True, False),
        ("cohere/command-a", False, False),
    ],
)
async def test_a_form_is_an_option_where_the_provider_takes_it(
    name: str, alone: bool, with_tools: bool
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"name": "Warmth", "schema": schema}}
    model = LitellmModel(name)
    found = [await model.takes_format(form, {}, has_tools=has_tools) for has_tools in (False, True)]
    assert found == [alone, with_tools]
