"""One answer in each provider's own dialect, as its server streams it, for the loopback provider."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from tests.providers.loopback import call, delta, usage

Event = dict[str, Any] | bytes | float

OPENAI_LIKE = [
    "openai/gpt-4o-mini",
    "azure/gpt-4o-mini",
    "deepseek/deepseek-chat",
    "fireworks_ai/some-model",
    "groq/some-model",
    "hosted_vllm/some-model",
    "mistral/mistral-small-latest",
    "openrouter/some/model",
    "together_ai/some/model",
    "xai/grok-3",
]
"""Providers that speak OpenAI's dialect, some of them in their own way."""


def openai() -> list[Event]:
    """Reasoning, text, two calls, usage."""
    return [
        delta("", role="assistant"),
        delta("It is "),
        delta("späť 🌙."),
        call(0, "clock", "", id="call_1"),
        call(0, arguments='{"zone": '),
        call(0, arguments='"UTC"}'),
        call(1, "clock", '{"zone": "CET"}', id="call_2"),
        delta(finish="tool_calls"),
        usage(
            1000,
            100,
            prompt_tokens_details={"cached_tokens": 400},
            completion_tokens_details={"reasoning_tokens": 30},
        ),
    ]


def anthropic() -> list[Event]:
    """The same in Anthropic's events. https://docs.anthropic.com/en/docs/build-with-claude/streaming"""
    counted = {"input_tokens": 500, "cache_read_input_tokens": 400, "cache_creation_input_tokens": 0}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "claude", "content": []}
    return [
        anthropic_event("message_start", message=message | {"usage": counted | {"output_tokens": 1}}),
        *anthropic_block(
            0, {"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": "Let me see."}]
        ),
        anthropic_event("ping"),
        *anthropic_block(
            1,
            {"type": "text", "text": ""},
            [{"type": "text_delta", "text": "It is "}, {"type": "text_delta", "text": "späť 🌙."}],
        ),
        *anthropic_block(
            2,
            {"type": "tool_use", "id": "toolu_1", "name": "clock", "input": {}},
            [
                {"type": "input_json_delta", "partial_json": '{"zone": '},
                {"type": "input_json_delta", "partial_json": '"UTC"}'},
            ],
        ),
        anthropic_event(
            "message_delta", delta={"stop_reason": "tool_use"}, usage=counted | {"output_tokens": 90}
        ),
        anthropic_event("message_stop"),
    ]


def gemini() -> list[Event]:
    """The same from Google AI Studio. https://ai.google.dev/api/generate-content"""

    def said(parts: list[dict[str, Any]], **fields: Any) -> bytes:
        candidate = {"content": {"parts": parts, "role": "model"}, "index": 0, **fields}
        counted = {
            "promptTokenCount": 500,
            "candidatesTokenCount": 90,
            "totalTokenCount": 620,
            "thoughtsTokenCount": 30,
            "cachedContentTokenCount": 400,
        }
        body = {"candidates": [candidate], "usageMetadata": counted, "modelVersion": "gemini"}
        return b"data: " + json.dumps(body).encode() + b"\r\n\r\n"

    return [
        said([{"text": "Let me see.", "thought": True}]),
        said([{"text": "It is "}]),
        said([{"text": "späť 🌙."}]),
        said([{"functionCall": {"name": "clock", "args": {"zone": "UTC"}}}]),
        said([{"text": ""}], finishReason="STOP"),
    ]


def ollama() -> list[Event]:
    """The same from Ollama, a JSON object a line. https://github.com/ollama/ollama/blob/main/docs/api.md"""

    def line(message: dict[str, Any], **fields: Any) -> bytes:
        head = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": False}
        body = head | {"message": {"role": "assistant", "content": "", **message}} | fields
        return json.dumps(body).encode() + b"\n"

    clock = {"function": {"name": "clock", "arguments": {"zone": "UTC"}}}
    return [
        line({"content": "It is "}),
        line({"content": "späť 🌙."}),
        line({"tool_calls": [clock]}),
        line({}, done=True, done_reason="stop", prompt_eval_count=500, eval_count=90),
    ]


def anthropic_event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def anthropic_block(index: int, start: dict[str, Any], deltas: list[dict[str, Any]]) -> list[Event]:
    return [
        anthropic_event("content_block_start", index=index, content_block=start),
        *(anthropic_event("content_block_delta", index=index, delta=each) for each in deltas),
        anthropic_event("content_block_stop", index=index),
    ]


Use = tuple[str, dict[str, Any]]


def openai_says(text: str, *uses: Use) -> list[Event]:
    """Some text, some calls: each a tool's name and its arguments."""
    calls = [
        call(n, name, json.dumps(arguments), id=f"call_{uuid4().hex}")
        for n, (name, arguments) in enumerate(uses)
    ]
    return [delta(text), *calls, delta(finish="tool_calls" if uses else "stop"), b"data: [DONE]\n\n"]


def anthropic_says(text: str, *uses: Use) -> list[Event]:
    """The same in Anthropic's events."""
    counted = {"input_tokens": 5, "output_tokens": 5}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "claude", "content": []}
    blocks = (
        anthropic_block(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": text}])
        if text
        else []
    )
    for n, (name, arguments) in enumerate(uses, 1):
        start = {"type": "tool_use", "id": f"toolu_{uuid4().hex}", "name": name, "input": {}}
        blocks += anthropic_block(
            n, start, [{"type": "input_json_delta", "partial_json": json.dumps(arguments)}]
        )
    end = {"stop_reason": "tool_use" if uses else "end_turn"}
    return [
        anthropic_event("message_start", message=message | {"usage": counted}),
        *blocks,
        anthropic_event("message_delta", delta=end, usage=counted),
        anthropic_event("message_stop"),
    ]


def gemini_says(text: str, *uses: Use) -> list[Event]:
    """The same from Google AI Studio."""
    calls = [{"functionCall": {"name": name, "args": arguments}} for name, arguments in uses]
    content = {"parts": [{"text": text}, *calls], "role": "model"}
    body = {"candidates": [{"content": content, "index": 0, "finishReason": "STOP"}]}
    return [b"data: " + json.dumps(body).encode() + b"\r\n\r\n"]


def ollama_says(text: str, *uses: Use) -> list[Event]:
    """The same from Ollama."""
    calls = [{"function": {"name": name, "arguments": arguments}} for name, arguments in uses]
    said = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    last = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    bodies = [{"message": said, "done": False}, last]
    return [json.dumps({"model": "m", **body}).encode() + b"\n" for body in bodies]
