"""What the chunks of an answer say: deltas become events; usage and the finish reason are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from agent_core.llm.base import ModelEvent, ReasoningDelta, Source, TextDelta, ToolCallDelta

Json = dict[str, Any]
_BESIDE = ("citations", "search_results")
"""Where Perplexity names its sources, beside each delta: as addresses alone, and with titles."""


class ObjectReader:
    """Reads litellm's own chunks.

    Attributes:
        finish: the newest finish reason.
        usage: the newest report of usage.
    """

    def __init__(self) -> None:
        self.finish: str | None = None
        self.usage: Any = None

    def read(self, chunk: Any) -> list[ModelEvent]:
        """Return the events of one chunk."""
        if (usage := getattr(chunk, "usage", None)) is not None:
            self.usage = usage
        events: list[ModelEvent] = [
            source for key in _BESIDE for source in _sources(getattr(chunk, key, None))
        ]
        if not chunk.choices:
            return events
        choice = chunk.choices[0]
        self.finish = choice.finish_reason or self.finish
        delta = choice.delta
        if reasoning := getattr(delta, "reasoning_content", None):
            events.append(ReasoningDelta(reasoning))
        if delta.content:
            events.append(TextDelta(delta.content))
        for call in delta.tool_calls or ():
            name, arguments = call.function.name, call.function.arguments
            events.append(ToolCallDelta(call.index or 0, call.id or None, name or None, arguments or ""))
        events += _sources(getattr(delta, "annotations", None))
        if fields := getattr(delta, "provider_specific_fields", None):
            events += _sources([fields.get("citation")])  # Anthropic's
        return events


class JsonReader:
    """Reads chunks of OpenAI's dialect as the JSON they arrive as.

    https://platform.openai.com/docs/api-reference/chat-streaming

    Attributes:
        finish: the newest finish reason, as the provider wrote it.
        usages: every report of usage; some providers send one with each chunk.
    """

    def __init__(self) -> None:
        self.finish: str | None = None
        self.usages: list[Json] = []

    def read(self, chunk: Json) -> list[ModelEvent]:
        """Return the events of one chunk."""
        if isinstance(usage := chunk.get("usage"), dict):
            self.usages.append(cast(Json, usage))
        events: list[ModelEvent] = [source for key in _BESIDE for source in _sources(chunk.get(key))]
        choices: list[Json] | None = chunk.get("choices")
        if not choices:
            return events
        choice = choices[0]
        if finish := choice.get("finish_reason"):
            self.finish = finish
        delta: Json | None = choice.get("delta")
        if not delta:
            return events
        reasoning = delta.get("reasoning_content")
        if reasoning is None:
            reasoning = delta.get("reasoning")  # OpenRouter, Groq, Cerebras, vLLM
        if reasoning:
            events.append(ReasoningDelta(_text(reasoning)))
        if content := delta.get("content"):
            events.append(TextDelta(_text(content)))
        if calls := delta.get("tool_calls"):
            events += _calls(calls)
        return events + _sources(delta.get("annotations"))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"The provider sent text that is no text: {value!r:.200}")
    return value


def _sources(found: object) -> list[ModelEvent]:
    """Return what a list of citations names: addresses, dicts with url and title, or such a dict inside one.

    The last is OpenAI's form, to which litellm brings Gemini's: {"type": "url_citation", "url_citation": {…}}.
    """
    named: list[ModelEvent] = []
    for each in cast("list[object]", found) if isinstance(found, list) else []:
        fields = cast(Json, each) if isinstance(each, Mapping) else {"url": each}
        inner = fields.get("url_citation")
        fields = cast(Json, inner) if isinstance(inner, Mapping) else fields
        url, title = fields.get("url"), fields.get("title")
        if isinstance(url, str) and url:
            named.append(Source(url, title if isinstance(title, str) else ""))
    return named


def _calls(calls: list[Json]) -> list[ModelEvent]:
    """Return the fragments of tool calls; what is no function call is none of ours."""
    found: list[ModelEvent] = []
    for place, call in enumerate(calls):
        if not isinstance(function := call.get("function"), Mapping):
            continue
        fields = cast(Json, function)
        index, arguments = call.get("index"), fields.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        number = index if isinstance(index, int) else place
        found.append(ToolCallDelta(number, call.get("id") or None, fields.get("name") or None, arguments))
    return found
