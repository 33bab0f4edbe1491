"""Test the adapter and agents against llmock, which fails like real providers and grades its client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.llm import Finish, LitellmModel, ModelEvent, ModelRequest, TextDelta, ToolCallDelta, Usage
from tests.providers.conftest import agent_api, ask, get_weather, text
from tests.providers.llmock import DIALECTS, Llmock

pytestmark = pytest.mark.provider

QUESTION = "What is the weather in Paris?"
STREAM_FAULTS = ("disconnect", "truncate", "malformed", "stall")
both_paths = pytest.mark.usefixtures("both_paths")
TOOL_FAULTS = ("malformed_arguments", "unknown_tool")


async def events(model: LitellmModel, question: str = QUESTION, **fields: Any) -> list[ModelEvent]:
    request = ModelRequest([{"role": "user", "content": question}], **fields)
    return [event async for event in model.stream(request)]


# The adapter alone


@both_paths
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_adapter_streams_text_usage_and_a_finish(llmock: Llmock, dialect: str):
    llmock.will({"type": "reply", "text": "It is sunny in Paris today."})
    *deltas, usage, finish = await events(llmock.model(dialect))
    assert (
        "".join(each.text for each in deltas if isinstance(each, TextDelta)) == "It is sunny in Paris today."
    )
    assert len(deltas) > 2
    assert isinstance(usage, Usage)
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert finish == Finish("stop")


@both_paths
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_adapter_yields_the_call_of_an_offered_tool(llmock: Llmock, dialect: str):
    llmock.will({"type": "reply", "tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]})
    found = await events(llmock.model(dialect), tools=[get_weather.schema()])
    calls = [each for each in found if isinstance(each, ToolCallDelta)]
    assert calls[0].name == "get_weather"
    assert calls[0].id
    assert "".join(each.arguments for each in calls).replace(" ", "") == '{"city":"Paris"}'
    assert found[-1] == Finish("tool-calls")


STATUSES = {
    **{400: ("invalid_request", False), 404: ("invalid_request", False)},
    **{401: ("auth", False), 403: ("auth", False), 429: ("rate_limited", True)},
    **dict.fromkeys((500, 503, 529), ("provider_5xx", True)),
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_error_says_whether_and_when_to_try_again(llmock: Llmock, dialect: str):
    for status, (kind, retryable) in STATUSES.items():
        llmock.reset()
        llmock.will({"type": "fail", "status": status, "message": "Words of the provider.", "retry_after": 7})
        with pytest.raises(ModelError, match="Words of the provider") as caught:
            await events(llmock.model(dialect))
        assert (caught.value.kind, caught.value.retryable) == (kind, retryable), status
        assert caught.value.retry_after == 7.0 or not retryable
        assert llmock.attempts() == 1, status


# The whole durable agent


FAULTS = {
    **{kind: {"type": "stream_fault", "kind": kind, "after_chunks": 4} for kind in STREAM_FAULTS},
    "429": {"type": "fail", "status": 429, "retry_after": 0.3, "times": 2},
    "500": {"type": "fail", "status": 500, "retry_after": 0.1, "times": 2},
    "delay": {"type": "delay", "seconds": 0.3},
    "delay too long": {"type": "delay", "seconds": 1.5},
    "slow first token": {"type": "slow_first_token", "seconds": 0.3},
    "slow first token too long": {"type": "slow_first_token", "seconds": 1.5},
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", STREAM_FAULTS)
@both_paths
async def test_an_agent_gets_through_a_broken_stream(
    llmock: Llmock, dialect: str, fault: str, tmp_path: Path
):
    await gets_through(llmock, dialect, FAULTS[fault], tmp_path)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in STREAM_FAULTS])
async def test_an_agent_gets_through_what_comes_before_a_stream(
    llmock: Llmock, dialect: str, fault: str, tmp_path: Path
):
    await gets_through(llmock, dialect, FAULTS[fault], tmp_path)


async def gets_through(llmock: Llmock, dialect: str, fault: dict[str, Any], directory: Path) -> None:
    """Run a turn in which the tool call meets the fault, then, on another thread, one in which the text does.

    An attempt whose stream breaks has used up its reply. The grader requires the client to stop reading a
    stream with bad JSON: an attempt that llmock could send completely does not count as failed, nor the next
    one as a retry. The remaining stream is long enough to give the slowest client ten seconds to stop.
    """
    words = "It is sunny in Paris, and this is long enough to be cut."
    uses = [{"name": "get_weather", "arguments": {"city": "Paris"}}]
    call: dict[str, Any] = {"type": "reply", "tool_calls": uses, "text": ""}
    answer: dict[str, Any] = {"type": "reply", "text": words}
    more = {"text": f"{words} " * 170} if _is_malformed(fault) else {}
    first, second = ([reply | more] if _uses_up(fault) else [] for reply in (call, answer))
    silence = 1.0 if fault.get("kind") == "stall" or fault.get("seconds", 0) > 1 else 20.0
    async with agent_api(directory, DIALECTS[dialect][0], **llmock.options(dialect, silence)) as api:
        llmock.will(fault, *first, call, answer)
        thread, message = await ask(api, "What is the weather in Paris?")
        assert (thread.status, thread.error) == ("completed", None)
        assert [part.get("output") for part in message.parts if part["type"] == "tool-get_weather"] == [
            "It is sunny in Paris."
        ]
        assert message.parts[-1]["text"] == answer["text"]
        llmock.will(fault, *second, answer)
        thread, message = await ask(api, "Say it again")
        assert (thread.status, thread.error) == ("completed", None)
        assert text(message) == answer["text"]
    assert llmock.findings() == []


def _is_malformed(fault: dict[str, Any]) -> bool:
    return fault.get("kind") == "malformed"


def _uses_up(fault: dict[str, Any]) -> bool:
    return fault["type"] == "stream_fault" or fault.get("seconds", 0) > 1


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", TOOL_FAULTS)
async def test_a_broken_tool_call_is_told_to_the_model_and_the_turn_goes_on(
    llmock: Llmock, dialect: str, kind: str, tmp_path: Path
):
    llmock.will({"type": "tool_fault", "kind": kind})
    async with agent_api(tmp_path, DIALECTS[dialect][0], **llmock.options(dialect)) as api:
        thread, message = await ask(api, "What is the weather in Paris?")
    assert thread.status == "completed"
    assert any(part.get("state") == "output-error" for part in message.parts)
    assert text(message)
    assert llmock.findings() == []
