"""What the chunks of an answer say: deltas become events; usage and the finish reason are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from agent_core.llm.base import ModelEvent, ReasoningDelta, TextDelta, ToolCallDelta

Json = dict[str, Any]


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
        if not chunk.choices:
            return []
        choice = chunk.choices[0]
        self.finish = choice.finish_reason or self.finish
        delta = choice.delta
        events: list[ModelEvent] = []
        if reasoning := getattr(delta, "reasoning_content", None):
            events.append(ReasoningDelta(reasoning))
        if delta.content:
            events.append(TextDelta(delta.content))
        for call in delta.tool_calls or ():
            name, arguments = call.function.name, call.function.arguments
            events.append(ToolCallDelta(call.index or 0, call.id or None, name or None, arguments or ""))
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
        choices: list[Json] | None = chunk.get("choices")
        if not choices:
            return []
        choice = choices[0]
        if finish := choice.get("finish_reason"):
            self.finish = finish
        delta: Json | None = choice.get("delta")
        if not delta:
            return []
        events: list[ModelEvent] = []
        reasoning = delta.get("reasoning_content")
        if reasoning is None:
            reasoning = delta.get("reasoning")  # OpenRouter, Groq, Cerebras, vLLM
        if reasoning:
            events.append(ReasoningDelta(_text(reasoning)))
        if content := delta.get("content"):
            events.append(TextDelta(_text(content)))
        if calls := delta.get("tool_calls"):
            events += _calls(calls)
        return events


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"The provider sent text that is no text: {value!r:.200}")
    return value


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
