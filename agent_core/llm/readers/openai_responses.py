"""Read answers of OpenAI's Responses API: output items, streamed or whole.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from agent_core.domain.model_adapter import (
    File,
    HostedCall,
    HostedResult,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from agent_core.domain.signatures import PHASES
from agent_core.llm.errors.error_reports import reported
from agent_core.llm.readers.reader import AnswerReader, call_delta, sources_of
from agent_core.support.plain_json import Json, fields_of, items_of

_CALLS = ("function_call", "custom_tool_call")
_RETURNED = ("type", "id", "summary", "encrypted_content")
_TEXTS = ("response.output_text.delta", "response.refusal.delta")
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ARGUMENTS = ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta")
_ENDS = ("response.completed", "response.incomplete", "response.failed")


class ResponsesReader(AnswerReader):
    """Reader of the events of a response."""

    KEYS = frozenset({"type", "output"})

    def __init__(self, decoder: Any = None) -> None:
        super().__init__(decoder)
        self._calls: dict[int, int] = {}  # indexes of function calls, by index of their item
        self._begun: set[int] = set()
        self._is_text_open = False  # whether the newest item is a message with text
        self._streamed: set[int] = set()  # indexes of items with streamed content
        self._done: set[int] = set()
        self._signed: list[Json] = []  # reasoning items, which are sent back with the item after them
        self._thought = False  # whether these have text

    def _usage(self, litellm: Any, newest: Json) -> Any:
        logging = import_module("litellm.responses.utils").ResponseAPILoggingUtils
        return logging.transform_response_api_usage_to_chat_usage(newest)

    def read(self, value: Json) -> list[ModelEvent]:
        """Return the events for one event of OpenAI, or for a whole response."""
        kind = str(value.get("type") or "")
        place = value.get("output_index")
        place = place if isinstance(place, int) else 0
        if kind == "response.output_item.added":
            return self._begin(place, fields_of(value.get("item")))
        if kind == "response.output_item.done":
            return self._item(place, fields_of(value.get("item")))
        if kind == "response.output_text.annotation.added":
            return sources_of([value.get("annotation")])
        if kind == "response.reasoning_summary_part.added":
            return [ReasoningDelta("\n\n")] if place in self._streamed else []
        if kind.endswith(".delta"):
            return self._delta(kind, place, value.get("delta"))
        if kind in _ENDS or value.get("object") == "response":
            return self._end(fields_of(value.get("response")) or value)
        self._about(fields_of(value.get("response")))
        return []

    def _about(self, response: Json) -> None:
        for key in ("id", "model", "service_tier"):
            if isinstance(value := response.get(key), str):
                self.about[key] = value

    def _delta(self, kind: str, place: int, delta: object) -> list[ModelEvent]:
        if not isinstance(delta, str) or not delta:
            return []
        if kind in _TEXTS:
            self._streamed.add(place)
            return self._text(delta)
        if kind in _THOUGHTS:
            self._streamed.add(place)
            self._thought = True
            return [ReasoningDelta(delta)]
        if kind in _ARGUMENTS and place in self._calls:
            self._streamed.add(place)
            return [ToolCallDelta(self._calls[place], None, None, delta)]
        return []

    def _begin(self, place: int, item: Json) -> list[ModelEvent]:
        if place in self._begun:
            return []
        self._begun.add(place)
        kind = str(item.get("type") or "")
        apart = [TextDelta("\n\n")] if self._is_text_open and kind == "message" else []
        self._is_text_open = False
        if kind == "reasoning":
            return [ReasoningDelta("\n\n")] if self._signed and self._thought else []
        signed, self._signed, self._thought = self._signed, [], False
        metadata = {"openai": {"reasoningItems": signed}} if signed else None
        if kind in _CALLS:
            self._calls[place] = len(self._calls)
            id = item.get("call_id") or item.get("id")
            return [call_delta(self._calls[place], id, item.get("name"), metadata=metadata)]
        # Reasoning before OpenAI's own tools is rejected without the tool's item, which litellm does not send.
        return [ReasoningDelta("", metadata)] if metadata and kind == "message" else [*apart]

    def _item(self, place: int, item: Json) -> list[ModelEvent]:
        """Return the events of a complete item that were not streamed, and those at its end."""
        if place in self._done:
            return []
        self._done.add(place)
        events = self._begin(place, item)
        kind, fresh = str(item.get("type") or ""), place not in self._streamed
        if kind == "message":
            for part in map(fields_of, items_of(item.get("content"))):
                text = part.get("text") or part.get("refusal")
                events += self._text(text) if fresh else []
                events += sources_of(part.get("annotations"))
            events += self._phase(item.get("phase"))
        elif kind == "reasoning":
            texts = [*items_of(item.get("summary")), *items_of(item.get("content"))] if fresh else []
            events += [ReasoningDelta(str(fields_of(part).get("text") or "")) for part in texts]
            self._thought = self._thought or bool(texts)
            self._signed.append({key: item[key] for key in _RETURNED if item.get(key) is not None})
        elif kind in _CALLS:
            written = item.get("arguments") or item.get("input")
            if fresh and isinstance(written, str):
                events.append(ToolCallDelta(self._calls[place], None, None, written))
        elif kind.endswith("_call"):
            events += _hosted(kind.removesuffix("_call"), item)
        return events

    def _text(self, text: object) -> list[ModelEvent]:
        if not isinstance(text, str) or not text:
            return []
        self._is_text_open = True
        return [TextDelta(text)]

    def _phase(self, phase: object) -> list[ModelEvent]:
        """Return the end of a text with its phase, such as "commentary", which is sent back."""
        if phase not in PHASES:
            return []
        self._is_text_open = False
        return [TextDelta("", {"openai": {"phase": phase}})]

    def _end(self, response: Json) -> list[ModelEvent]:
        if response.get("status") == "failed":
            words = reported({"error": response.get("error") or {"message": "The response failed."}})
            raise words or RuntimeError("The response failed.")
        self._about(response)
        self.count(response.get("usage"))
        events: list[ModelEvent] = []
        for place, item in enumerate(items_of(response.get("output"))):
            events += self._item(place, fields_of(item))
        reason = fields_of(response.get("incomplete_details")).get("reason")
        self.finish = {"max_output_tokens": "length"}.get(str(reason), str(reason)) if reason else ""
        self.finish = self.finish or ("tool_calls" if self._calls else "stop")
        return events


def _hosted(name: str, item: Json) -> list[ModelEvent]:
    """Return a call of OpenAI's own tool and its result; a generated picture becomes a file."""
    id, asked = str(item.get("id") or ""), item.get("action") or item.get("arguments")
    drawn = item.get("result") if name == "image_generation" else None
    if isinstance(drawn, str) and drawn:
        return [File(f"image/{item.get('output_format') or 'png'}", drawn)]
    known = {key: item[key] for key in ("code", "queries", "name") if item.get(key)}
    output: Any = next((item[key] for key in ("outputs", "results", "output") if item.get(key)), None)
    failed = item.get("status") in ("failed", "incomplete")
    words = (
        str(item.get("error") or f"{name} ended with the status {item.get('status')}.") if failed else None
    )
    return [HostedCall(id, name, asked or known), HostedResult(id, output, words)]
