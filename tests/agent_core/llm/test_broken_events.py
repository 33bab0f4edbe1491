"""Events without valid JSON: they end the answer at once in every dialect, so that no answer has a gap."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import pytest

from agent_core.errors import ModelError
from agent_core.llm import LitellmModel, ModelEvent, ModelRequest, TextDelta
from agent_core.llm.streams.direct_stream import whole_events
from tests.providers.dialects import DIALECTS, Use
from tests.providers.dialects.openai import OPENAI_LIKE
from tests.providers.loopback import Stream, provider

REQUEST = ModelRequest([{"role": "user", "content": "What time is it?"}])
OTHERS = {
    "anthropic/claude-sonnet-5": "anthropic",
    "gemini/gemini-2.5-flash": "gemini-2.5",
    "ollama_chat/qwen3": "ollama",
}


@pytest.mark.usefixtures("both_paths")
@pytest.mark.parametrize("name", [*OPENAI_LIKE, *OTHERS])
async def test_a_broken_event_is_an_error_at_once(name: str) -> None:
    """The server pauses for half a minute after the broken event, so reading on would hit the timeout."""
    broken = b'{"id": "x", "mess\n' if "ollama" in name else b'data: {"id": "x", "mess\n\n'
    said = ["It is ", "late.", Use("clock", {"zone": "UTC"}, "call_1")]
    whole = DIALECTS[OTHERS.get(name, "openai")].stream(said)
    middle = next(place for place, event in enumerate(whole) if "It is " in str(event)) + 1
    events = [*whole[:middle], broken, whole[middle], 30.0, *whole[middle + 1 :]]
    async with provider(Stream(events, end="eof")) as server:
        url = server.url.removesuffix("/v1") if name in OTHERS else server.url
        version = {"api_version": "2024-10-21"} if "azure" in name else {}
        model = LitellmModel(name, api_base=url, api_key="k" * 12, timeout=20, **version)
        *heard, error = await read(model)
    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("network", True)
    assert "broke off" in str(error)
    assert TextDelta("It is ") in heard


async def read(model: LitellmModel) -> list[ModelEvent | ModelError]:
    events: list[ModelEvent | ModelError] = []
    try:
        async for event in model.stream(REQUEST):
            events.append(event)  # noqa: PERF401
    except ModelError as error:
        events.append(error)
    return events


PASSED: list[list[str | bytes]] = [
    [],
    ["", "\n", "  "],
    [": a comment", "event: ping", 'data: {"a": 1}', "", "data: [DONE]", ""],
    ['data: {"a": 1}', 'data: {"b": 2}'],  # a server that omits the blank lines
    ['data: {"a":', "data:  1}", ""],  # one event in two lines, as the standard allows
    [b'data: {"a": 1}', b"", b'data:{"b":"\xc3\xa9"}', b""],
    ["data:", "", "data: ", ""],
    ["{", '  "error": {}', "}"],  # Gemini's own errors, which litellm assembles
    ['data: {"a": 1}', "", 'data: {"b"'],  # cut off: no finish reason will follow
]
BROKEN: list[list[str | bytes]] = [
    ["data: {", ""],
    ['data: {"a": 1}', "", "data: nonsense", "", 'data: {"b": 2}', ""],
    [b'data: {"a": "\xff', b""],
    ['data: {"a":', "data: 1", "", "data: }", ""],
]


async def passed(lines: list[str | bytes]) -> list[str | bytes]:
    """Return the lines that pass, and assert that the source has been closed."""
    closed: list[bool] = []

    async def source() -> AsyncGenerator[str | bytes]:
        try:
            for line in lines:
                yield line
        finally:
            closed.append(True)

    try:
        return [line async for line in whole_events(source())]
    finally:
        assert closed == [True]


@pytest.mark.parametrize("lines", PASSED)
async def test_whole_events_pass_line_by_line(lines: list[str | bytes]) -> None:
    assert await passed(lines) == lines


@pytest.mark.parametrize("lines", BROKEN)
async def test_broken_event_ends_the_answer(lines: list[str | bytes]) -> None:
    is_text = any("nonsense" in str(line) for line in lines)  # a sentence instead of JSON is shown as it is
    with pytest.raises(ModelError if is_text else json.JSONDecodeError):
        await passed(lines)


async def test_lines_of_whole_objects_pass_and_a_broken_object_ends_the_answer() -> None:
    assert len(await passed(['{"a": 1}', "", '{"b": 2}'])) == 3
    with pytest.raises(json.JSONDecodeError):
        await passed(['{"a": 1}', '{"b"', '{"c": 3}'])
