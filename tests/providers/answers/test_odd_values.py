"""Test answers whose counts, indexes and lines have an odd form, in the formats of single providers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.answers.test_answers import said, step
from tests.providers.dialects import DIALECTS, serving
from tests.providers.dialects.dialect import event
from tests.providers.dialects.openai import chunk
from tests.providers.dialects.script import Json
from tests.providers.loopback import Stream


def gemini(*texts: str, index: int = 0, **more: Any) -> Json:
    return {"content": {"role": "model", "parts": [{"text": text} for text in texts]}, "index": index, **more}


def ollama(text: str, done: bool = False, **counts: Any) -> bytes:
    return json.dumps({"model": "q", "message": {"content": text}, "done": done, **counts}).encode()


def events(*values: Json) -> Stream:
    return Stream([event(json.dumps(each), str(each.get("type") or "")) for each in values], end="eof")


def lines(*raw: bytes) -> Stream:
    return Stream(raw, end="eof", content_type="application/x-ndjson")


def counts(read: Any, written: Any, **more: Any) -> Json:
    return {
        **chunk({"content": "Hi"}, "stop"),
        "usage": {"prompt_tokens": read, "completion_tokens": written, **more},
    }


END: dict[str, Any] = {"finishReason": "STOP"}
ANSWERS: dict[str, tuple[str, Stream]] = {
    "several candidates": (
        "gemini",
        events(
            {"candidates": [gemini("No", index=1), gemini("H")]},
            {"candidates": [gemini("no", index=1, **END)]},
            {"candidates": [gemini("i", **END)]},
        ),
    ),
    "blank lines between objects": ("ollama", lines(ollama("H"), b"\n\n\r\n", ollama("i", True), b"\n\n")),
    "objects in a row": ("ollama", lines(ollama("H") + ollama("i", True))),
    "objects in a row in an event": (
        "openai",
        Stream(
            [event(json.dumps(chunk({"content": "H"})) + json.dumps(chunk({"content": "i"}, "stop")))],
            end="eof",
        ),
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_answer_is_read_once(what: str) -> None:
    name, stream = ANSWERS[what]
    async with serving(DIALECTS[name], stream) as server:
        assert said((await step(server)).parts)[1:] == [("text", "Hi")]


COUNTS: dict[str, tuple[str, Stream, tuple[int, int] | None]] = {
    "texts": ("openai", events(counts("3", "2.0", total_tokens="5")), (3, 2)),
    "nulls": (
        "openai",
        events(counts(3, 2, prompt_tokens_details=None, completion_tokens_details={"x": None})),
        (3, 2),
    ),
    "below zero": ("openai", events(counts(-3, 2)), (0, 2)),
    "no numbers": ("openai", events(counts({"a": 1}, [2])), None),
    "Gemini's as texts": (
        "gemini",
        events(
            {
                "candidates": [gemini("Hi", **END)],
                "usageMetadata": {
                    "promptTokenCount": "3",
                    "candidatesTokenCount": "2",
                    "totalTokenCount": "5",
                },
            }
        ),
        (3, 2),
    ),
    "Ollama's": (
        "ollama",
        lines(ollama("Hi", True, prompt_eval_count=3, eval_count=2), b"\n"),
        (3, 2),
    ),
}


@pytest.mark.parametrize("what", COUNTS)
async def test_counts_of_any_form_never_cost_the_answer(what: str) -> None:
    name, stream, wanted = COUNTS[what]
    async with serving(DIALECTS[name], stream) as server:
        result = await step(server)
    assert said(result.parts)[1:] == [("text", "Hi")]
    found = result.usage and (result.usage.input_tokens, result.usage.output_tokens)
    assert found == wanted
