"""Test answers and errors in the odd forms of compatible servers and gateways."""

from __future__ import annotations

import gzip
import json
import math
from typing import Any

import pytest

from agent_core.llm import LitellmModel, ModelRequest
from agent_core.streaming.model_step import model_step
from tests.providers.answers.test_answers import COMPATIBLE, claude_stream, openai_stream, refused, said, step
from tests.providers.dialects import DIALECTS, serving
from tests.providers.dialects.dialect import event
from tests.providers.dialects.openai import chunk
from tests.providers.dialects.script import Json
from tests.providers.loopback import Answer, Stream, provider


def call(**fields: Any) -> Json:
    return {"tool_calls": [fields]}


ODD: dict[str, list[Json]] = {
    "no ids": [call(index=0, function={"name": "clock", "arguments": f'{{"n": {n}}}'}) for n in (1, 2)],
    "no index": [call(function={"name": "clock", "arguments": f'{{"n": {n}}}'}) for n in (1, 2)],
    "one id": [
        call(index=0, id="x", function={"name": "clock", "arguments": f'{{"n": {n}}}'}) for n in (1, 2)
    ],
    "both in one delta": [
        {"tool_calls": [{"function": {"name": "clock", "arguments": f'{{"n": {n}}}'}} for n in (1, 2)]}
    ],
    "objects": [
        call(index=n, id=f"x{n}", function={"name": "clock", "arguments": {"n": n + 1}}) for n in (0, 1)
    ],
    "an empty object first": [
        call(index=0, id="x", function={"name": "clock", "arguments": {}}),
        call(index=0, function={"arguments": '{"n": 1}'}),
        call(index=1, id="y", function={"name": "clock", "arguments": None}),
        call(index=1, function={"name": "", "arguments": '{"n": 2}'}),
    ],
    "null first": [
        call(index=0, id="x", function={"name": "clock", "arguments": "null"}),
        call(index=0, function={"arguments": '{"n": 1}'}),
        call(index=1, id="y", function={"name": "clock", "arguments": '{"n": 2}'}),
    ],
    "an index as text": [
        call(index=str(n), id=f"x{n}", function={"name": "clock", "arguments": f'{{"n": {n + 1}}}'})
        for n in (0, 1)
    ],
    "a fresh id with each piece": [
        call(index=0, id=f"x{n}", function={"name": "clock", "arguments": piece})
        for n, piece in enumerate(['{"n"', ": 1", "}", '{"n": 2}'])
    ],
    "no function around them": [
        {"tool_calls": [{"name": "clock", "arguments": f'{{"n": {n}}}'} for n in (1, 2)]},
    ],
    "pieces of both in turns": [
        call(id=f"x{n % 2}", function={"name": "clock" if n < 2 else None, "arguments": piece})
        for n, piece in enumerate(['{"n', '{"n', '": 1}', '": 2}'])
    ],
    "numbers that are none": [
        call(index=math.nan, id="x", function={"name": "clock", "arguments": '{"n": 1}'}),
        call(index=math.inf, id="y", function={"name": "clock", "arguments": '{"n": 2}'}),
    ],
    "lists in a list": [
        {
            "tool_calls": [
                [{"id": f"x{n}", "function": {"name": "clock", "arguments": f'{{"n": {n}}}'}}] for n in (1, 2)
            ]
        }
    ],
    "an object of numbers": [
        {
            "tool_calls": {
                str(n): {"function": {"name": "clock", "arguments": f'{{"n": {n}}}'}} for n in (1, 2)
            }
        }
    ],
    "one call a delta": [
        {"tool_call": {"id": f"x{n}", "function": {"name": "clock", "parameters": {"n": n}}}} for n in (1, 2)
    ],
    "names in place of functions": [
        call(index=n, id=f"x{n}", function="clock", arguments={"n": n + 1}) for n in (0, 1)
    ],
    "parts of the content": [
        {"content": [{"type": "tool_use", "id": f"x{n}", "name": "clock", "input": {"n": n}}]} for n in (1, 2)
    ],
    "items of the Responses API": [
        {
            "tool_calls": [
                {"type": "function_call", "call_id": f"x{n}", "name": "clock", "arguments": f'{{"n": {n}}}'}
            ]
        }
        for n in (1, 2)
    ],
    "nonsense beside them": [
        {"tool_calls": [None, "x", {"function": None}, {"type": "custom"}]},
        call(index=0, id=7, function={"name": "clock", "arguments": '{"n": 1}'}),
        call(index=1, id=8, function={"name": "clock", "arguments": '{"n": 2}'}),
    ],
}


@pytest.mark.parametrize("name", COMPATIBLE)
async def test_no_call_is_lost_glued_or_split(name: str) -> None:
    async with serving(DIALECTS[name], *[openai_stream(*deltas) for deltas in ODD.values()]) as server:
        for what in ODD:
            result = await step(server)
            found = [(request.name, json.loads(request.arguments)) for request in result.tool_requests]
            assert found == [("clock", {"n": 1}), ("clock", {"n": 2})], what
            assert len({request.id for request in result.tool_requests}) == 2


FORMS = ["openai", "vllm", "openrouter", "anthropic", "gemini", "ollama"]
DONE = [event(chunk({}, "stop")), event("[DONE]")]


def streamed(*events: Json | None) -> Stream:
    return Stream([*[event(json.dumps(each)) for each in events], *DONE], end="eof")


def choice(**fields: Any) -> Json:
    return {"id": "c1", "choices": [{"index": 0, **fields}]}


BODIES: dict[str, tuple[Any, dict[str, str], str]] = {
    "a string": (b'"Something is wrong"', {}, "Something is wrong."),
    "words": (b"upstream connect error", {"content-type": "text/plain"}, "upstream connect error."),
    "an array": ([{"error": {"message": "In a list"}}], {}, "In a list."),
    "an envelope": ({"data": {"error": {"message": "In an envelope"}}}, {}, "In an envelope."),
    "Cloudflare's": ({"success": False, "errors": [{"code": 7, "message": "No route"}]}, {}, "No route."),
    "Cohere's": ({"message": "invalid token"}, {}, "invalid token."),
    "Amazon's": ({"Message": "Not allowed"}, {}, "Not allowed."),
    "zipped": (
        gzip.compress(b'{"error": {"message": "Zipped words"}}'),
        {"content-encoding": "gzip"},
        "Zipped words.",
    ),
}


@pytest.mark.parametrize("name", FORMS)
async def test_the_words_of_an_error_are_found_in_every_body(name: str) -> None:
    answers = [Answer(400, body, headers) for body, headers, _ in BODIES.values()]
    async with serving(DIALECTS[name], *answers, Answer(400)) as server:
        assert [str(await refused(server)) for _ in BODIES] == [words for _, _, words in BODIES.values()]
        assert "failed without an error message (status 400)" in str(await refused(server))


@pytest.mark.parametrize("name", FORMS)
async def test_errors_of_amazon_are_known_by_their_names(name: str) -> None:
    kinds = {"Throttling": "rate_limited", "ServiceUnavailable": "provider_5xx", "AccessDenied": "auth"}
    bodies = [{"__type": f"com.amazon#{kind}Exception", "message": "No"} for kind in kinds]
    async with serving(DIALECTS[name], *[Answer(400, body) for body in bodies]) as server:
        assert [(await refused(server)).kind for _ in kinds] == list(kinds.values())


@pytest.mark.parametrize("name", FORMS)
async def test_an_error_in_an_envelope_behind_the_status_200_is_that_error(name: str) -> None:
    bodies: list[Json] = [
        {"data": {"error": {"message": "Slow down", "code": 429}}},
        {"__type": "ThrottlingException", "message": "Slow down"},
    ]
    async with serving(DIALECTS[name], *[Answer(200, body) for body in bodies]) as server:
        for _ in bodies:
            found = await refused(server)
            assert (str(found), found.kind) == ("Slow down.", "rate_limited")


async def test_errors_in_the_middle_of_a_stream_are_known_in_every_form() -> None:
    begun = event(chunk({"content": "Hi"}))
    old_llama = b'error: {"code": 500, "message": "context shift is disabled"}\n\n'
    qwen = b'id:1\nevent:error\ndata:{"code":"DataInspectionFailed","message":"Inappropriate."}\n\n'
    streams = [Stream([begun, each], end="eof") for each in (old_llama, qwen)]
    async with serving(DIALECTS["openai"], *streams) as server:
        first, second = await refused(server), await refused(server)
    assert (str(first), first.retryable) == ("context shift is disabled.", True)
    assert (str(second), second.kind) == ("Inappropriate.", "invalid_request")


CHUNKS: dict[str, Stream] = {
    "null between": streamed(None, chunk({"content": "Hi"}), None),
    "null deltas": streamed(choice(delta=None), choice(delta={"content": None}), chunk({"content": "Hi"})),
    "deltas in a list": streamed(choice(delta=[{"content": "H"}, {"content": "i"}, None])),
    "texts of completions": streamed(choice(text="H"), choice(text="i"), choice(text="")),
    "messages": streamed(choice(message={"content": "H"}), choice(message={"content": "i"})),
    "the message once more": streamed(
        chunk({"content": "Hi"}),
        choice(message={"content": "Hi"}, finish_reason="stop"),
        choice(delta={}, message={"content": "Hi"}),
    ),
    "an envelope around each": streamed({"data": chunk({"content": "H"})}, {"data": chunk({"content": "i"})}),
    "parts with other names": streamed(
        chunk({"content": [{"type": "text_delta", "text": "H"}, {"type": "REFERENCE", "ids": [1]}]}),
        chunk({"content": [{"type": "Input_Text", "text": "i"}]}),
    ),
    "several choices": streamed(
        {
            "id": "c1",
            "choices": [{"index": 1, "delta": {"content": "No"}}, {"index": 0, "delta": {"content": "H"}}],
        },
        choice(index=1, delta={"content": "no"}),
        chunk({"content": "i"}),
        choice(index=1, delta={"content": "no"}, finish_reason="length"),
    ),
    "an object of choices": streamed({"id": "c1", "choices": {"index": 0, "delta": {"content": "Hi"}}}),
    "a long number": Stream(
        [b'data: {"created": ' + b"9" * 5_000 + b', "choices": [{"delta": {"content": "Hi"}}]}\n\n', *DONE],
        end="eof",
    ),
    "signs of life": Stream(
        [
            b"event: ping\ndata: 2026-01-01T00:00:00Z\n\ndata: heartbeat\n\ndata: keep-alive\n\n",
            event(json.dumps(chunk({"content": "Hi"}))),
            b'event: heartbeat\ndata: {"type": "ping"}\n\nevent: keepalive\n\n',
            *DONE,
        ],
        end="eof",
    ),
    "an end in words": Stream(
        [event(json.dumps(chunk({"content": "Hi"}, "stop"))), b'data: "[DONE]"\n\ndata: nonsense\n\n'],
        end="eof",
    ),
    "a text sequence": Stream(
        [
            b"\x1e" + json.dumps(each).encode() + b"\n"
            for each in (chunk({"content": "Hi"}), chunk({}, "stop"))
        ],
        end="eof",
    ),
    "an end twice": streamed(chunk({"content": "Hi"}, "stop"), chunk({"content": ""}, "stop")),
}


@pytest.mark.parametrize("name", ["openai", "vllm", "openrouter", "groq", "mistral"])
async def test_a_text_is_read_from_odd_chunks(name: str) -> None:
    async with serving(DIALECTS[name], *CHUNKS.values()) as server:
        for what in CHUNKS:
            assert said((await step(server)).parts)[1:] == [("text", "Hi")], what


REPEATED = ['{"n', '{"n": 1', '{"n": 1}', '{"n": 1}']


@pytest.mark.parametrize("named", ["always", "once"])
async def test_arguments_that_are_repeated_from_their_beginning_are_read_once(named: str) -> None:
    deltas = [
        call(
            index=0,
            id="x" if named == "always" or not place else None,
            function={"name": "clock" if named == "always" or not place else None, "arguments": text},
        )
        for place, text in enumerate(REPEATED)
    ]
    async with serving(DIALECTS["openai"], openai_stream(*deltas, finish="tool_calls")) as server:
        model, shown = LitellmModel(server.dialect.model, **server.options), ""
        asked = ModelRequest([{"role": "user", "content": "Hi"}])
        async for each in model_step(model, asked, include_tool_input_deltas=True):
            if isinstance(each, dict):
                shown += each.get("inputTextDelta", "")
            else:
                assert [(one.name, one.arguments) for one in each.tool_requests] == [("clock", '{"n": 1}')]
    assert shown == '{"n": 1}'


async def test_arguments_whose_pieces_begin_alike_are_no_repetition() -> None:
    pieces = ['{"a": "', '{"a": \\"', '"}']
    deltas = [call(index=0, id="x", function={"name": "clock", "arguments": piece}) for piece in pieces]
    async with serving(DIALECTS["openai"], openai_stream(*deltas)) as server:
        assert (await step(server)).tool_requests[0].arguments == '{"a": "{"a": \\""}'


async def test_claude_arguments_may_be_an_object() -> None:
    block = {"type": "tool_use", "id": "t", "name": "clock", "input": {}}
    stream = claude_stream(block, {"type": "input_json_delta", "partial_json": {"n": 1}})
    async with serving(DIALECTS["anthropic"], stream) as server:
        assert [json.loads(one.arguments) for one in (await step(server)).tool_requests] == [{"n": 1}]


@pytest.mark.parametrize(
    "model", ["sambanova/m", "zai/m", "nvidia_nim/m", "deepinfra/m", "openai/m", "groq/m"]
)
async def test_a_request_is_made_once_whatever_the_provider(model: str) -> None:
    async with provider(Answer(429, {"error": {"message": "Later"}})) as server:
        asked = LitellmModel(model, api_base=server.url, api_key="k", timeout=10)
        with pytest.raises(Exception, match="Later"):
            _ = [each async for each in asked.stream(ModelRequest([{"role": "user", "content": "Hi"}]))]
        assert len(server.requests) == 1
        assert "max_retries" not in server.requests[0]


@pytest.mark.parametrize("index", [0, None])
async def test_details_of_reasoning_are_joined_where_their_pieces_have_no_number(index: int | None) -> None:
    numbered = {} if index is None else {"index": index}
    pieces = [
        *({"type": "reasoning.text", "text": text} for text in ("Let me ", "see.")),
        *({"type": "reasoning.text", "text": "", "signature": half} for half in ("abc", "def", "abcdef")),
        *({"type": "reasoning.encrypted", "id": id, "data": id * 3} for id in ("x", "y")),
    ]
    deltas = [{"reasoning_details": [piece | numbered]} for piece in pieces]
    async with serving(DIALECTS["openrouter"], openai_stream(*deltas, {"content": "Hi"})) as server:
        parts = (await step(server)).parts
    [details] = [part["providerMetadata"]["openrouter"] for part in parts if part["type"] == "reasoning"]
    assert details["reasoning_details"] == [
        {"type": "reasoning.text", "text": "Let me see.", "signature": "abcdef"} | numbered,
        *({"type": "reasoning.encrypted", "id": id, "data": id * 3} | numbered for id in ("x", "y")),
    ]


async def test_a_signature_in_pieces_is_one() -> None:
    signed = [{"type": "signature_delta", "signature": half} for half in ("abc", "def")]
    thinking = claude_stream(
        {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "Hm"}
    )
    more = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in signed]
    text = claude_stream({"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"})
    events = [*thinking.events[:2], *[event(each) for each in more], thinking.events[2], *text.events]
    async with serving(DIALECTS["anthropic"], Stream(events, end="eof")) as server:
        parts = (await step(server)).parts
    assert [
        part["providerMetadata"]["anthropic"]["signature"] for part in parts if part["type"] == "reasoning"
    ] == ["abcdef"]


def cohere(kind: str, index: int = 0, **delta: Any) -> Json:
    return {"type": kind, "index": index, "delta": delta}


COHERE = [
    {
        "type": "message-start",
        "id": "x",
        "delta": {"message": {"role": "assistant", "content": [], "tool_calls": []}},
    },
    cohere("content-start", message={"content": {"type": "thinking", "thinking": ""}}),
    cohere("content-delta", message={"content": {"thinking": "Hm."}}),
    cohere("content-end"),
    cohere("content-delta", 1, message={"content": {"text": "I look."}}),
    cohere(
        "citation-start", message={"citations": {"sources": [{"document": {"url": "https://a.example"}}]}}
    ),
    cohere(
        "tool-call-start", message={"tool_calls": {"id": "c", "function": {"name": "clock", "arguments": ""}}}
    ),
    cohere("tool-call-delta", message={"tool_calls": {"function": {"arguments": '{"n": 1}'}}}),
    cohere("tool-call-end"),
    cohere(
        "message-end", finish_reason="TOOL_CALL", usage={"tokens": {"input_tokens": 3, "output_tokens": 2}}
    ),
]
WHOLE = {
    "id": "x",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
    "usage": {"tokens": {"input_tokens": 3, "output_tokens": 1}},
}


async def test_answers_of_cohere_are_read_as_events_as_lines_and_whole() -> None:
    events = Stream([event(each, each["type"]) for each in COHERE], end="eof")
    lines = Stream([json.dumps(each).encode() + b"\n" for each in COHERE], end="eof")
    cut = Stream([event(each) for each in COHERE[:-1]], end="eof")
    async with provider(events, lines, Answer(200, WHOLE), cut, strict=False) as server:
        address = f"{server.url}/chat/completions"  # a path that has the server check requests as OpenAI's
        model = LitellmModel("cohere_chat/command-a", api_base=address, api_key="k", timeout=10)
        asked = ModelRequest([{"role": "user", "content": "Hi"}])
        results: Any = [[each async for each in model_step(model, asked)][-1] for _ in range(3)]
        with pytest.raises(Exception, match="broke off"):
            _ = [each async for each in model_step(model, asked)]
    for result in results[:2]:
        assert said(result.parts)[1:3] == [("reasoning", "Hm."), ("text", "I look.")]
        assert [part["url"] for part in result.parts if "url" in part] == ["https://a.example"]
        assert [(one.id, one.name, one.arguments) for one in result.tool_requests] == [
            ("c", "clock", '{"n": 1}')
        ]
        assert (result.finish_reason, result.usage.input_tokens, result.usage.output_tokens) == (
            "tool-calls",
            3,
            2,
        )
    assert (said(results[2].parts)[1:], results[2].finish_reason) == ([("text", "Hi")], "stop")
