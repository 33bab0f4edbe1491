"""An event that is no JSON ends the answer there, whosever dialect it is: an answer never has a hole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.llm import LitellmModel, ModelEvent, ModelRequest, TextDelta
from agent_core.llm.streams.direct_stream import refuse_broken
from tests.providers.dialects import DIALECTS, Use
from tests.providers.dialects.openai import OPENAI_LIKE
from tests.providers.loopback import Stream, provider

REQUEST = ModelRequest([{"role": "user", "content": "What time is it?"}])
OTHERS = {
    "anthropic/claude-sonnet-5": "anthropic",
    "gemini/gemini-2.5-flash": "gemini-2.5",
    "ollama_chat/qwen3": "ollama",
}


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "wrapped"])
@pytest.mark.parametrize("name", [*OPENAI_LIKE, *OTHERS])
async def test_a_broken_event_is_an_error_at_once(name: str, direct: bool) -> None:
    """The server would go on for half a minute: who reads to the end pays for it."""
    broken = b'{"id": "x", "mess\n' if "ollama" in name else b'data: {"id": "x", "mess\n\n'
    said = ["It is ", "late.", Use("clock", {"zone": "UTC"}, "call_1")]
    whole = DIALECTS[OTHERS.get(name, "openai")].stream(said)
    middle = next(place for place, event in enumerate(whole) if "It is " in str(event)) + 1
    events = [*whole[:middle], broken, whole[middle], 30.0, *whole[middle + 1 :]]
    async with provider(Stream(events, end="eof")) as server:
        url = server.url.removesuffix("/v1") if name in OTHERS else server.url
        version = {"api_version": "2024-10-21"} if "azure" in name else {}
        model = LitellmModel(name, api_base=url, api_key="k" * 12, timeout=20, **version)
        model.direct = direct
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


class Decoder:
    """What litellm's decoders have in common: where they find the lines."""

    def __init__(self, lines: list[str | bytes]) -> None:
        self.closed = False
        self.streaming_response: Any = self._stream(lines)

    async def _stream(self, lines: list[str | bytes]) -> AsyncIterator[str | bytes]:
        try:
            for line in lines:
                yield line
        finally:
            self.closed = True


OllamaDecoder = type("OllamaDecoder", (Decoder,), {"__module__": "litellm.llms.ollama.x"})

PASSED: list[list[str | bytes]] = [
    [],
    ["", "\n", "  "],
    [": a comment", "event: ping", 'data: {"a": 1}', "", "data: [DONE]", ""],
    ['data: {"a": 1}', 'data: {"b": 2}'],  # a server that forgets the blank lines
    ['data: {"a":', "data:  1}", ""],  # one event in two lines, as the standard has it
    [b'data: {"a": 1}', b"", b'data:{"b":"\xc3\xa9"}', b""],
    ["data:", "", "data: ", ""],
    ["{", '  "error": {}', "}"],  # Gemini's own errors, which litellm puts together
    ['data: {"a": 1}', "", 'data: {"b"'],  # cut off: there will be no finish reason
]
BROKEN: list[list[str | bytes]] = [
    ["data: {", ""],
    ['data: {"a": 1}', "", "data: nonsense", "", 'data: {"b": 2}', ""],
    [b'data: {"a": "\xff', b""],
    ['data: {"a":', "data: 1", "", "data: }", ""],
]


async def passed(decoder: Decoder) -> list[str | bytes]:
    refuse_broken(decoder)
    return [line async for line in decoder.streaming_response]


@pytest.mark.parametrize("lines", PASSED)
async def test_whole_events_pass_line_by_line(lines: list[str | bytes]) -> None:
    assert await passed(Decoder(lines)) == lines


@pytest.mark.parametrize("lines", BROKEN)
async def test_broken_ones_do_not(lines: list[str | bytes]) -> None:
    decoder = Decoder(lines)
    with pytest.raises(json.JSONDecodeError):
        await passed(decoder)
    assert decoder.closed


async def test_ollama_sends_an_object_a_line() -> None:
    assert len(await passed(OllamaDecoder(['{"a": 1}', "", '{"b": 2}']))) == 3
    with pytest.raises(json.JSONDecodeError):
        await passed(OllamaDecoder(['{"a": 1}', '{"b"', '{"c": 3}']))


async def test_closing_closes_what_is_behind() -> None:
    decoder = Decoder(['data: {"a": 1}', ""])
    refuse_broken(decoder)
    async with contextlib.aclosing(decoder.streaming_response) as lines:
        await anext(lines)
    assert decoder.closed
