"""Gemini's own dialect: parts, and a signature on a step's first call that must come back.

https://ai.google.dev/api/generate-content
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from tests.providers.dialects.dialect import Dialect, asserted, misfits, pieces
from tests.providers.dialects.script import Item, Json, Ran, Reply, Thought, Use, uses_of
from tests.providers.loopback import Answer
from tests.support.providers.pairing_gemini import check_contents

COUNTED = {
    "promptTokenCount": 500,
    "candidatesTokenCount": 90,
    "totalTokenCount": 620,
    "thoughtsTokenCount": 30,
    "cachedContentTokenCount": 400,
}
SKIP = "skip_thought_signature_validator"
"""Value that Google accepts as the signature of another model's call."""


class Gemini(Dialect):
    """Gemini 3, whose calls have ids and signatures."""

    model = "gemini/gemini-3-pro-preview"
    below = ""
    names = r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"

    def stream(self, items: Reply) -> list[bytes]:
        chunks: list[bytes] = []
        signed = False
        for item in items:
            if isinstance(item, Use):
                chunks.append(_said([self.part(item, signed=not signed)]))
                signed = True
            elif not isinstance(item, Ran):
                texts = [item.text] if isinstance(item, Thought) else pieces(item)
                thought = {"thought": True} if isinstance(item, Thought) else {}
                chunks += [_said([{"text": text, **thought}]) for text in texts]
        return [*chunks, _said([{"text": ""}], finishReason="STOP")]

    def whole(self, items: Reply) -> Json:
        first = next(iter(uses_of(items)), None)
        parts = [self.part(item, signed=item is first) for item in items]
        return _body(parts, finishReason="STOP")

    def part(self, item: Item, signed: bool) -> Json:
        """Return an item as a part of a content."""
        if isinstance(item, Use):
            call = {"name": item.name, "args": item.arguments, "id": item.id}
            return {"functionCall": call, **({"thoughtSignature": item.signature} if signed else {})}
        return {"text": item.text, "thought": True} if isinstance(item, Thought) else {"text": item}

    def refusal(self, sentence: str) -> Answer:
        return Answer(400, {"error": {"code": 400, "message": sentence, "status": "INVALID_ARGUMENT"}})

    def check(self, request: Json, said: Sequence[Reply]) -> list[str]:
        contents = request["contents"]
        found = list(asserted(check_contents, contents))
        tools = [
            one["name"]
            for tool in request.get("tools") or []
            for one in tool.get("functionDeclarations") or tool.get("function_declarations") or []
        ]
        calls = [part for content in contents for part in content["parts"] if _call(part)]
        names = [*tools, *(_call(part)["name"] for part in calls)]
        found += [
            f"Invalid function name {name!r}. Must start with a letter or an underscore. Must be alphameric "
            "(a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64."
            for name in misfits(self.names, names)
        ]
        return [*found, *self._check_signatures(contents, said)]

    def _check_signatures(self, contents: list[Json], said: Sequence[Reply]) -> Iterator[str]:
        """Yield complaints about the signature of each step's first call."""
        for place, content in enumerate(contents):
            first = next((part for part in content["parts"] if _call(part)), None)
            if first is None:
                continue
            call, signature = _call(first), _signature(first)
            known = {
                use.signature
                for reply in said
                for use in uses_of(reply)
                # A garbled name, such as functions.clock, comes back as the tool's name.
                if (use.name.rpartition(".")[2], use.arguments) == (call["name"], call.get("args") or {})
            }
            if signature is None:
                yield (
                    "Function call is missing a thought_signature in functionCall parts. This is required for "
                    "tools to work correctly, and missing thought_signature may lead to degraded model "
                    f"performance. Additional data, function call `default_api:{call['name']}` , position "
                    f"{place + 1}."
                )
            elif signature not in known and (known or not is_skip(signature)):
                yield "Corrupted thought signature."


class GeminiWithoutIds(Gemini):
    """Gemini 2.5, whose calls have neither ids nor signatures."""

    model = "gemini/gemini-2.5-flash"

    def part(self, item: Item, signed: bool) -> Json:
        if isinstance(item, Use):
            return {"functionCall": {"name": item.name, "args": item.arguments}}
        return super().part(item, signed)

    def _check_signatures(self, contents: list[Json], said: Sequence[Reply]) -> Iterator[str]:
        yield from ()


def is_skip(signature: str) -> bool:
    return signature in (SKIP, base64.b64encode(SKIP.encode()).decode())


def _call(part: Json) -> Json:
    return part.get("functionCall") or part.get("function_call") or {}


def _signature(part: Json) -> str | None:
    return part.get("thoughtSignature") or part.get("thought_signature")


def _body(parts: list[Json], **fields: Any) -> Json:
    candidate = {"content": {"parts": parts, "role": "model"}, "index": 0, **fields}
    return {"candidates": [candidate], "usageMetadata": COUNTED, "modelVersion": "gemini"}


def _said(parts: list[Json], **fields: Any) -> bytes:
    return b"data: " + json.dumps(_body(parts, **fields)).encode() + b"\r\n\r\n"
