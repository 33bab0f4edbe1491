"""Test that every shape of an answer gives the same parts, or an error in the provider's words."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import Any

import pytest

from agent_core.domain.messages import Part
from agent_core.errors import ModelError
from agent_core.llm import LitellmModel, ModelRequest
from agent_core.streaming.model_step import StepResult, model_step
from tests.providers.dialects import DIALECTS, DialectServer, Thought, Use, serving
from tests.providers.dialects.dialect import event
from tests.providers.dialects.openai import chunk
from tests.providers.dialects.script import Json
from tests.providers.loopback import Answer, Stream

every_dialect = pytest.mark.parametrize("name", DIALECTS)

STEP = [
    Thought("Let me see: naïve\u2028🌙."),
    'It is "späť"\u2029 \x85 \u0001 🌙\n\n- so ',
    Use("clock", {"zone": "UTC\u2028", "at": [1, {"x": None}]}),
    Use("clock", {"zone": "CET 🌙"}),
]
TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}


async def step(server: DialectServer, **fields: Any) -> StepResult:
    """Run one model step against the server."""
    asked = [{"role": "user", "content": "What time is it?"}]
    request = ModelRequest(fields.get("messages", asked), [TOOL])
    chunks = [
        each async for each in model_step(LitellmModel(server.dialect.model, **server.options), request)
    ]
    result = chunks[-1]
    assert isinstance(result, StepResult)
    return result


async def refused(server: DialectServer, **fields: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await step(server, **fields)
    return caught.value


def said(parts: list[Part]) -> list[Any]:
    """Return the contents of parts, without ids and metadata."""
    return [
        (part["type"], part["input"]) if "input" in part else (part["type"], part.get("text"))
        for part in parts
    ]


@every_dialect
async def test_any_cut_of_the_bytes_gives_the_same_parts(name: str) -> None:
    dialect = DIALECTS[name]
    whole = b"".join(dialect.stream(dialect.prepared(STEP, 0)))
    cutter = random.Random(name)
    async with serving(dialect) as server:
        found: list[Any] = []
        for pieces in (1, 2, 3, 7, 40, 200):
            places = sorted({0, len(whole), *(cutter.randrange(len(whole)) for _ in range(pieces - 1))})
            cut: list[Any] = [whole[a:b] for a, b in pairwise(places)]
            server.then(Stream(cut, end="eof", content_type=dialect.content_type))
            found.append((await step(server)).parts)
    without = [[{k: v for k, v in part.items() if k != "toolCallId"} for part in parts] for parts in found]
    assert all(parts == without[0] for parts in without)
    texts = [part["text"] for part in found[0] if part["type"] == "text"]
    assert texts == [STEP[1]]
    assert [part["input"] for part in found[0] if part["type"] == "tool-clock"] == [
        u.arguments for u in STEP[2:]
    ]  # type: ignore[union-attr]


@every_dialect
@pytest.mark.parametrize("indent", [None, 1], ids=["compact", "pretty"])
async def test_json_in_place_of_a_stream_is_the_answer(name: str, indent: int | None) -> None:
    dialect = DIALECTS[name]
    body = json.dumps(dialect.whole(dialect.prepared(STEP, 0)), indent=indent).encode()
    async with serving(dialect, STEP, Answer(200, body)) as server:
        streamed, whole = await step(server), await step(server)
    assert said(whole.parts) == said(streamed.parts)
    assert len(whole.tool_requests) == 2
    assert whole.usage is not None
    assert whole.usage.output_tokens > 0


@every_dialect
async def test_an_error_behind_the_status_200_is_that_error(name: str) -> None:
    error = {"message": "You exceeded your rate limit.", "type": "rate_limit_error", "code": 429}
    for body in ({"error": error}, {"error": error["message"], "code": 429}):
        raw = json.dumps(body).encode()
        for answer in (Answer(200, raw), Stream([b"data: " + raw + b"\n\n"], end="eof")):
            async with serving(DIALECTS[name], answer) as server:
                found = await refused(server)
            assert (found.kind, found.retryable) == ("rate_limited", True)
            assert str(found) == "You exceeded your rate limit."


REPORTS: dict[str, tuple[Json, str, bool]] = {
    "OpenAI's": (
        {"error": {"message": "Bad key", "type": "authentication_error", "code": "x"}},
        "auth",
        False,
    ),
    "a code as text": ({"error": {"message": "Later", "code": "503"}}, "provider_5xx", True),
    "Google's": (
        {"error": {"code": 429, "message": "Slow", "status": "RESOURCE_EXHAUSTED"}},
        "rate_limited",
        True,
    ),
    "Google's in an array": ([{"error": {"code": 400, "message": "Bad"}}], "invalid_request", False),  # type: ignore[dict-item]
    "Anthropic's": (
        {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}},
        "provider_5xx",
        True,
    ),
    "Groq's": ({"x_groq": {"id": "r", "error": "Over capacity"}, "choices": []}, "provider_5xx", True),
    "words": ({"error": "model 'x' not found"}, "provider_5xx", True),
    "OAuth's": ({"error": "invalid_token", "error_description": "The key is over"}, "auth", False),
    "FastAPI's": ({"detail": "Not Found", "status": 404}, "invalid_request", False),
    "FastAPI's of a field": ({"detail": [{"msg": "Field required"}], "code": 422}, "invalid_request", False),
    "a gateway's": ({"code": 401, "msg": "Bad token", "data": None}, "auth", False),
    "vLLM's": ({"object": "error", "message": "Too big", "code": 400}, "invalid_request", False),
    "MiniMax's": ({"base_resp": {"status_code": 1004, "status_msg": "Log in"}}, "provider_5xx", True),
    "too long": (
        {"error": {"message": "This model's maximum context length is 9 tokens", "code": 400}},
        "context_window_exceeded",
        False,
    ),
}


@pytest.mark.parametrize("name", ["openai", "vllm", "anthropic", "gemini", "ollama"])
async def test_errors_are_read_in_every_form(name: str) -> None:
    answers = [Answer(200, json.dumps(body).encode()) for body, _, _ in REPORTS.values()]
    async with serving(DIALECTS[name], *answers) as server:
        for what, (body, kind, retryable) in REPORTS.items():
            found = await refused(server)
            assert (found.kind, found.retryable) == (kind, retryable), what
            assert str(found).rstrip(".") in json.dumps(body).replace('\\"', '"'), what


FOREIGN = {
    "a page": (b"<!DOCTYPE html><html><title>Sign in to the proxy</title></html>", "Sign in to the proxy"),
    "words": (b"no healthy upstream", "no healthy upstream"),
    "another object": (b'{"hello": "world"}', "hello"),
}


@every_dialect
@pytest.mark.parametrize(("body", "words"), FOREIGN.values(), ids=FOREIGN)
async def test_an_address_that_speaks_something_else_is_not_asked_again(
    name: str, body: bytes, words: str
) -> None:
    for kind in ("text/html", "text/event-stream", "application/json"):
        async with serving(DIALECTS[name], Stream([body], end="eof", content_type=kind)) as server:
            found = await refused(server)
        assert not found.retryable
        assert words in str(found)
        assert "does not speak the protocol" in str(found)


@every_dialect
async def test_an_empty_body_is_a_truncated_answer(name: str) -> None:
    async with serving(DIALECTS[name], Stream([b"\n"], end="eof")) as server:
        assert (await refused(server)).kind == "truncated"


@every_dialect
async def test_end_without_an_answer_is_a_truncated_answer(name: str) -> None:
    """An empty answer, or reasoning alone, is retried before the thread fails."""
    async with serving(DIALECTS[name], [], [Thought("Hm.")]) as server:
        for _ in range(2):
            found = await refused(server)
            assert (found.kind, found.retryable) == ("truncated", True)
            assert "gave no answer" in str(found)


@every_dialect
async def test_empty_answer_after_an_outcome_is_reported_as_silent(name: str) -> None:
    call = {"id": "call00001", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    asked = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call00001", "content": "12"},
    ]
    async with serving(DIALECTS[name], []) as server:
        result = await step(server, messages=asked)
    assert result.parts[-1] == {"type": "data-finish", "data": {"reason": "silent"}}


def openai_stream(*deltas: Json, finish: str | None = "stop") -> Stream:
    chunks = [event(chunk(delta)) for delta in deltas]
    return Stream([*chunks, event(chunk({}, finish)), event("[DONE]")], end="eof")


def gemini_stream(candidate: Json) -> Stream:
    return Stream([event({"candidates": [candidate]})], end="eof")


NONE: list[tuple[str, Stream, str]] = [
    ("openai", openai_stream(finish="tool_calls"), "no call"),
    ("vllm", openai_stream({"content": "  \n"}), "no answer"),
    ("vllm", openai_stream({"content": "\u200b"}, {"content": " \ufeff"}), "no answer"),
    ("openai", openai_stream({"content": "x"}, finish="network_error"), "network_error"),
    (
        "gemini",
        gemini_stream(
            {"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "Malformed function call: clock("}
        ),
        "Malformed function call: clock(",
    ),
    ("gemini", gemini_stream({"finishReason": "UNEXPECTED_TOOL_CALL"}), "UNEXPECTED_TOOL_CALL"),
    ("gemini", gemini_stream({"content": {"parts": []}, "finishReason": "STOP"}), "STOP"),
]


@pytest.mark.parametrize(("name", "stream", "words"), NONE)
async def test_an_end_that_went_wrong_is_no_answer(name: str, stream: Stream, words: str) -> None:
    async with serving(DIALECTS[name], stream) as server:
        found = await refused(server)
    assert (found.kind, found.retryable) == ("truncated", True)
    assert words in str(found)


async def test_refusals_are_text_and_legacy_function_calls_are_calls() -> None:
    refusal = openai_stream({"refusal": "I can"}, {"refusal": "not do that."})
    legacy = openai_stream(
        {"function_call": {"name": "clock", "arguments": '{"zo'}},
        {"function_call": {"arguments": 'ne": "UTC"}'}},
        finish="function_call",
    )
    async with serving(DIALECTS["openai"], refusal, legacy) as server:
        assert said((await step(server)).parts)[1:] == [("text", "I cannot do that.")]
        assert said((await step(server)).parts)[1:] == [("tool-clock", {"zone": "UTC"})]


CONTENTS: dict[str, tuple[list[Any], list[Any]]] = {
    "text": ([[{"type": "text", "text": "Hi"}]], [("text", "Hi")]),
    "thinking in parts": (
        [
            [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}],
            [{"type": "text", "text": "Hi"}],
        ],
        [("reasoning", "Hm"), ("text", "Hi")],
    ),
    "thinking as text": (
        [[{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]],
        [("reasoning", "Hm"), ("text", "Hi")],
    ),
    "reasoning": ([[{"type": "reasoning", "text": "Hm"}, "Hi"]], [("reasoning", "Hm"), ("text", "Hi")]),
    "a summary": (
        [[{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]}], "Hi"],
        [("reasoning", "Hm"), ("text", "Hi")],
    ),
    "one part": ([{"type": "text", "text": "Hi"}], [("text", "Hi")]),
    "output_text": ([[{"type": "output_text", "text": "Hi", "annotations": []}]], [("text", "Hi")]),
    "unknown parts": (
        [[{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "Hi"}, None]],
        [("text", "Hi")],
    ),
    "text with annotations": (
        [[{"type": "text", "text": {"value": "Hi", "annotations": []}}]],
        [("text", "Hi")],
    ),
    "a part without a type": ([[{"text": "Hi"}]], [("text", "Hi")]),
    "empty parts": ([[], [{"type": "text", "text": ""}], [{"type": "text"}], "Hi"], [("text", "Hi")]),
}
COMPATIBLE = ["openai", "vllm", "deepseek", "mistral", "groq", "xai", "openrouter", "cerebras", "moonshot"]


@pytest.mark.parametrize("name", COMPATIBLE)
async def test_content_as_parts_is_read_by_its_kinds(name: str) -> None:
    streams = [openai_stream(*[{"content": each} for each in contents]) for contents, _ in CONTENTS.values()]
    async with serving(DIALECTS[name], *streams) as server:
        for what, (_, expected) in CONTENTS.items():
            assert said((await step(server)).parts)[1:] == expected, what


@pytest.mark.parametrize("name", COMPATIBLE)
async def test_content_that_is_no_text_is_an_error_with_a_sentence(name: str) -> None:
    contents = [7, True, 1.5]
    async with serving(DIALECTS[name], *[openai_stream({"content": each}) for each in contents]) as server:
        for content in contents:
            found = await refused(server)
            assert found.kind == "invalid_request", content
            assert "neither text nor a list of parts" in str(found)


def claude_stream(block: Json, delta: Json) -> Stream:
    events = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    ]
    return Stream([event(each, each["type"]) for each in events], end="eof")


def streams_of(name: str, content: Any) -> list[tuple[str, Stream]]:
    """Return an answer whose text is `content`, and one whose reasoning is."""
    if name == "gemini":
        parts = [[{"text": content}], [{"text": content, "thought": True}, {"text": "Hi"}]]
        return [
            (kind, gemini_stream({"content": {"parts": each}, "finishReason": "STOP"}))
            for kind, each in zip(("text", "reasoning"), parts, strict=True)
        ]
    thinking = claude_stream(
        {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": content}
    )
    text = claude_stream({"type": "text", "text": ""}, {"type": "text_delta", "text": content})
    said = Stream([*thinking.events[:3], *text.events], end="eof")
    return [("text", text), ("reasoning", said if isinstance(content, list) else thinking)]


@pytest.mark.parametrize("name", ["anthropic", "gemini"])
async def test_text_in_other_forms_is_read_like_content(name: str) -> None:
    for kind, stream in streams_of(name, [{"type": "text", "text": "Hm"}, {"type": "x"}]):
        async with serving(DIALECTS[name], stream) as server:
            assert (kind, "Hm") in said((await step(server)).parts)
    for _, stream in streams_of(name, 7):
        async with serving(DIALECTS[name], stream) as server:
            assert "neither text nor a list of parts" in str(await refused(server))
