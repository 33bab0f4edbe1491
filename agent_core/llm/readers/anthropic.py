"""Read answers in Anthropic's format: events by block, or a whole message.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import contextlib
import json
from importlib import import_module
from typing import Any, cast

from agent_core.domain.model_adapter import (
    HostedCall,
    HostedResult,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from agent_core.llm.readers.reader import AnswerReader, arguments_text, deltas_of, sources_of, texts_of
from agent_core.support.plain_json import Json, fields_of, items_of

_HOSTED = ("server_tool_use", "mcp_tool_use")
"""Types of blocks with calls that Anthropic runs itself."""


class AnthropicReader(AnswerReader):
    """Reader of Anthropic's events."""

    KEYS = frozenset({"type"})

    def __init__(self, decoder: Any = None) -> None:
        super().__init__(decoder)
        # The real names of tools, by the names that litellm sent to Anthropic.
        self._names: dict[str, str] = getattr(decoder, "tool_name_reverse_map", None) or {}
        self._speed: Any = getattr(decoder, "speed", None)
        self._blocks: dict[int, Json] = {}
        self._calls = 0
        self._thought = ""  # all reasoning of the answer; litellm counts its tokens

    def _usage(self, litellm: Any, newest: Json) -> Any:
        config = import_module("litellm.llms.anthropic.chat.transformation").AnthropicConfig()
        thought = self._thought or None
        return config.calculate_usage(usage_object=newest, reasoning_content=thought, speed=self._speed)

    def read(self, event: Json) -> list[ModelEvent]:
        """Return the events for one event of Anthropic."""
        kind = event.get("type")
        if kind == "message_start":
            self._message(fields_of(event.get("message")))
        elif kind == "content_block_start":
            return self._start(_number(event), fields_of(event.get("content_block")))
        elif kind == "content_block_delta":
            return self._delta(_number(event), fields_of(event.get("delta")))
        elif kind == "content_block_stop":
            return self._stop(self._blocks.pop(_number(event), {}))
        elif kind == "message_delta":
            self._finished(fields_of(event.get("delta")))
            self.count(event.get("usage"))
        elif kind == "message":
            return self._complete(event)
        return []

    def _message(self, message: Json) -> None:
        self.about |= {key: message[key] for key in ("id", "model") if isinstance(message.get(key), str)}
        self.count(message.get("usage"))

    def _finished(self, fields: Json) -> None:
        self.finish = fields.get("stop_reason") or self.finish
        if words := fields_of(fields.get("stop_details")).get("explanation"):
            self.message = str(words)

    def _complete(self, message: Json) -> list[ModelEvent]:
        """Return the events of a message that was not streamed."""
        self._message(message)
        self._finished(message)
        self.finish = self.finish or "end_turn"
        content = message.get("content")
        events: list[ModelEvent] = [TextDelta(content)] if isinstance(content, str) else []
        for index, block in enumerate(items_of(content)):
            events += self._start(index, fields_of(block))
            events += self._stop(self._blocks.pop(index, {}))
        return events

    def _start(self, index: int, block: Json) -> list[ModelEvent]:
        self._blocks[index] = dict(block)
        kind = block.get("type")
        if kind == "text":
            return [*deltas_of(block.get("text")), *sources_of(block.get("citations"))]
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
            return hosted_result(block)
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
            return sources_of([delta.get("citation")])
        elif kind == "input_json_delta" and block.get("type") in _HOSTED:
            block["json"] = f"{block.get('json') or ''}{delta.get('partial_json') or ''}"
        elif kind == "input_json_delta" and block.get("type") == "tool_use":
            block["written"] = True
            return [ToolCallDelta(block["call"], None, None, arguments_text(delta.get("partial_json")))]
        return []

    def _stop(self, block: Json) -> list[ModelEvent]:
        if block.get("type") in _HOSTED:
            return hosted_call(block)
        if block.get("type") == "thinking" and block.get("signature"):
            return [ReasoningDelta("", {"anthropic": {"signature": block["signature"]}})]
        if block.get("type") == "tool_use" and block.get("input") and not block.get("written"):
            return [ToolCallDelta(block["call"], None, None, json.dumps(block["input"], ensure_ascii=False))]
        return []

    def _think(self, text: object) -> list[ModelEvent]:
        texts = texts_of(text)
        self._thought += "".join(texts)
        return [ReasoningDelta(each) for each in texts]


def hosted_call(block: Json) -> list[ModelEvent]:
    """Return a call that Anthropic runs itself, with complete arguments from `input` or from the text `json`."""
    with contextlib.suppress(ValueError):
        block = block | {"input": json.loads(block.get("json") or "null") or block.get("input")}
    id, asked = str(block.get("id") or ""), fields_of(block.get("input"))
    sent = {key: value for key, value in block.items() if key != "json"} | {"input": asked}
    return [HostedCall(id, str(block.get("name") or ""), asked, _replayed(id, "call", sent))]


def hosted_result(block: Json) -> list[ModelEvent]:
    """Return the result of a hosted call, and the found web pages as sources."""
    id, content = str(block.get("tool_use_id") or ""), block.get("content")
    code = fields_of(content).get("error_code")
    words = f"{str(block['type']).removesuffix('_tool_result')} failed: {code}" if code else None
    if words is None and block.get("is_error") is True:
        words = json.dumps(content, ensure_ascii=False)
    return [HostedResult(id, _readable(content), words, _replayed(id, "result", block)), *sources_of(content)]


def _replayed(id: str, what: str, block: Json) -> Json | None:
    """Return the metadata with which a block of a hosted call is sent back to Anthropic."""
    return {"anthropic": {what: block}} if id.startswith("srvtoolu_") else None


def _number(event: Json) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0


def _readable(content: Any) -> Any:
    """Return a result without its encrypted fields."""
    if isinstance(content, list):
        return [_readable(each) for each in items_of(cast(object, content))]
    if isinstance(content, dict):
        fields = fields_of(cast(object, content))
        return {key: _readable(value) for key, value in fields.items() if not key.startswith("encrypted_")}
    return content
