"""Reading an answer in Anthropic's form: events by block, or a whole message.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any, cast

from agent_core.llm.base import (
    HostedCall,
    HostedResult,
    ModelEvent,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
)
from agent_core.llm.content import Kind, deltas_of, pieces_of

Json = dict[str, Any]

_HOSTED = ("server_tool_use", "mcp_tool_use")
"""Blocks of calls that are carried out by Anthropic."""


class AnthropicReader:
    """Reads Anthropic's events; see `JsonReader` for the attributes.

    Args:
        names: tools' names as litellm had to write them for Anthropic, and what they are really called.
    """

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self.finish: str | None = None
        self.message = ""
        self.usages: list[Json] = []
        self.about: Json = {}
        self._names = names or {}
        self._blocks: dict[int, Json] = {}
        self._calls = 0
        self._thought = ""
        self._server: dict[str, Json] = {}  # calls that Anthropic itself carries out, by id

    @property
    def thought(self) -> str:
        """Everything that the model thought; litellm counts its tokens."""
        return self._thought

    def read(self, event: Json) -> list[ModelEvent]:
        """Return the events of one event of Anthropic's."""
        kind = event.get("type")
        if kind == "message_start":
            self._message(_json(event.get("message")))
        elif kind == "content_block_start":
            return self._start(_number(event), _json(event.get("content_block")))
        elif kind == "content_block_delta":
            return self._delta(_number(event), _json(event.get("delta")))
        elif kind == "content_block_stop":
            return self._stop(self._blocks.pop(_number(event), {}))
        elif kind == "message_delta":
            self._finished(_json(event.get("delta")))
            self._count(event)
        elif kind == "message":
            return self._whole(event)
        return []

    def end(self) -> list[ModelEvent]:
        """Return the events that the end of the answer brings: none."""
        return []

    def _message(self, message: Json) -> None:
        self.about |= {key: message[key] for key in ("id", "model") if isinstance(message.get(key), str)}
        self._count(message)

    def _count(self, holder: Json) -> None:
        if isinstance(usage := holder.get("usage"), dict):
            self.usages.append(cast(Json, usage))

    def _finished(self, fields: Json) -> None:
        self.finish = fields.get("stop_reason") or self.finish
        if words := _json(fields.get("stop_details")).get("explanation"):
            self.message = str(words)

    def _whole(self, message: Json) -> list[ModelEvent]:
        """Read a message that was not streamed."""
        self._message(message)
        self._finished(message)
        self.finish = self.finish or "end_turn"
        content = message.get("content")
        blocks = cast("list[Any]", content) if isinstance(content, list) else []
        events: list[ModelEvent] = [TextDelta(content)] if isinstance(content, str) else []
        for index, block in enumerate(blocks):
            events += self._start(index, _json(block))
            events += self._stop(self._blocks.pop(index, {}))
        return events

    def _start(self, index: int, block: Json) -> list[ModelEvent]:
        self._blocks[index] = dict(block)
        kind = block.get("type")
        if kind == "text":
            return [*deltas_of(block.get("text")), *_cited(block.get("citations"))]
        if kind == "thinking":
            return self._think(block.get("thinking"))
        if kind == "redacted_thinking":
            return [ReasoningDelta("", {"anthropic": {"redactedData": block.get("data")}})]
        if kind == "tool_use":
            name = str(block.get("name") or "")
            self._blocks[index]["call"] = self._calls
            self._calls += 1
            return [ToolCallDelta(self._calls - 1, block.get("id"), self._names.get(name, name), "")]
        if isinstance(kind, str) and kind.endswith("_tool_result"):
            return self._result(block)
        return []

    def _delta(self, index: int, delta: Json) -> list[ModelEvent]:
        block = self._blocks.setdefault(index, {})
        kind = delta.get("type")
        if kind == "text_delta":
            return deltas_of(delta.get("text"))
        if kind == "thinking_delta":
            return self._think(delta.get("thinking"))
        if kind == "signature_delta":
            block["signature"] = f"{block.get('signature') or ''}{delta.get('signature') or ''}"
        elif kind == "citations_delta":
            return _cited([delta.get("citation")])
        elif kind == "input_json_delta" and block.get("type") in _HOSTED:
            block["json"] = f"{block.get('json') or ''}{delta.get('partial_json') or ''}"
        elif kind == "input_json_delta" and block.get("type") == "tool_use":
            block["written"] = True
            return [ToolCallDelta(block["call"], None, None, str(delta.get("partial_json") or ""))]
        return []

    def _hosted(self, block: Json) -> list[ModelEvent]:
        """Return a call that Anthropic carries out itself, once its arguments are whole."""
        with contextlib.suppress(ValueError):
            block["input"] = json.loads(block.get("json") or "null") or block.get("input")
        id = str(block.get("id") or "")
        self._server[id] = {"id": id, "name": str(block.get("name") or ""), "input": block.get("input") or {}}
        return [HostedCall(id, self._server[id]["name"], self._server[id]["input"])]

    def _result(self, block: Json) -> list[ModelEvent]:
        """Return what came of such a call, and the pages that were found."""
        id, content = str(block.get("tool_use_id") or ""), block.get("content")
        code = _json(content).get("error_code")
        words = f"{block['type'].removesuffix('_tool_result')} failed: {code}" if code else None
        if words is None and block.get("is_error") is True:
            words = json.dumps(content, ensure_ascii=False)
        again = (
            {"call": self._server[id], "result": block}
            if id.startswith("srvtoolu_") and id in self._server
            else None
        )
        metadata = {"anthropic": {"hosted": again}} if again else None
        return [HostedResult(id, _readable(content), words, metadata), *_found(content)]

    def _stop(self, block: Json) -> list[ModelEvent]:
        if block.get("type") in _HOSTED:
            return self._hosted(block)
        if block.get("type") == "thinking" and block.get("signature"):
            return [ReasoningDelta("", {"anthropic": {"signature": block["signature"]}})]
        if block.get("type") == "tool_use" and block.get("input") and not block.get("written"):
            return [ToolCallDelta(block["call"], None, None, json.dumps(block["input"], ensure_ascii=False))]
        return []

    def _think(self, text: object) -> list[ModelEvent]:
        pieces = pieces_of(text, Kind.REASONING)
        self._thought += "".join(piece for _, piece in pieces)
        return [ReasoningDelta(piece) for _, piece in pieces]


def _json(value: object) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}


def _number(event: Json) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0


def _cited(citations: object) -> list[ModelEvent]:
    """Return the pages that a text cites."""
    found = [_json(each) for each in cast("list[Any]", citations)] if isinstance(citations, list) else []
    return [
        Source(each["url"], str(each.get("title") or ""))
        for each in found
        if isinstance(each.get("url"), str)
    ]


def _found(results: object) -> list[ModelEvent]:
    """Return the pages that Anthropic's own search has found."""
    return _cited(results)


def _readable(content: object) -> Any:
    """Return a result without what only Anthropic can read."""
    if isinstance(content, list):
        return [_readable(each) for each in cast("list[Any]", content)]
    if isinstance(content, dict):
        fields = cast(Json, content)
        return {key: _readable(value) for key, value in fields.items() if not key.startswith("encrypted_")}
    return content
