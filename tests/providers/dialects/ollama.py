"""Ollama's dialect: one JSON object per line, calls without ids.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.providers.dialects.dialect import Dialect, asserted, pieces
from tests.providers.dialects.script import Json, Reply, Thought, Use, text_of, thoughts_of, uses_of
from tests.providers.loopback import Answer
from tests.support.providers.pairing import check_turns


class Ollama(Dialect):
    """Ollama's chat API."""

    model = "ollama_chat/qwen3"
    below = ""
    content_type = "application/x-ndjson"

    def stream(self, items: Reply) -> list[bytes]:
        lines: list[bytes] = []
        for item in items:
            if isinstance(item, Use):
                lines.append(_line({"tool_calls": [_call(item)]}))
            elif isinstance(item, Thought):
                lines += [_line({"thinking": piece}) for piece in pieces(item.text)]
            elif isinstance(item, str):
                lines += [_line({"content": piece}) for piece in pieces(item)]
        return [*lines, _line({}, **_DONE)]

    def whole(self, items: Reply) -> Json:
        calls = [_call(use) for use in uses_of(items)]
        said = {"content": text_of(items), **({"tool_calls": calls} if calls else {})}
        if thoughts := "".join(thought.text for thought in thoughts_of(items)):
            said["thinking"] = thoughts
        return _body(said, **_DONE)

    def refusal(self, sentence: str) -> Answer:
        return Answer(400, {"error": sentence})

    def check(self, request: Json, said: Sequence[Reply]) -> list[str]:
        found = list(asserted(check_turns, request["messages"]))
        if any(not isinstance(message.get("content", ""), str) for message in request["messages"]):
            found.append("json: cannot unmarshal array into Go struct field ChatRequest.messages.content")
        return found


_DONE: Json = {"done": True, "done_reason": "stop", "prompt_eval_count": 500, "eval_count": 90}


def _call(use: Use) -> Json:
    return {"function": {"name": use.name, "arguments": use.arguments}}


def _body(message: Json, **fields: Any) -> Json:
    head = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": False}
    return head | {"message": {"role": "assistant", "content": "", **message}} | fields


def _line(message: Json, **fields: Any) -> bytes:
    return json.dumps(_body(message, **fields), ensure_ascii=False).encode() + b"\n"
