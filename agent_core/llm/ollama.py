"""Reading an answer in Ollama's form: a message an object, the last one with `done`.

https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
"""

from __future__ import annotations

from typing import Any, cast

from agent_core.llm.base import ModelEvent, ToolCallDelta
from agent_core.llm.content import Kind, deltas_of
from agent_core.llm.reading import arguments_text

Json = dict[str, Any]


class OllamaReader:
    """Reads Ollama's objects; see `JsonReader` for the attributes."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self.message = ""
        self.usages: list[Json] = []
        self.about: Json = {}
        self._calls = 0

    def read(self, value: Json) -> list[ModelEvent]:
        """Return the events of one object."""
        if isinstance(model := value.get("model"), str):
            self.about["model"] = model
        message = _json(value.get("message"))
        events: list[ModelEvent] = deltas_of(message.get("thinking"), Kind.REASONING)
        events += deltas_of(message.get("content"))
        calls = message.get("tool_calls")
        for call in cast("list[Any]", calls) if isinstance(calls, list) else []:
            events += self._call(_json(call))
        if value.get("done") is True:
            self.finish = str(value.get("done_reason") or "stop")
            self.usages.append({key: value[key] for key in _COUNTS if isinstance(value.get(key), int)})
        return events

    def end(self) -> list[ModelEvent]:
        """Return the events that the end of the answer brings: none."""
        return []

    def _call(self, call: Json) -> list[ModelEvent]:
        function = _json(call.get("function"))
        name, id = function.get("name"), call.get("id")
        if not isinstance(name, str) or not name:
            return []
        self._calls += 1
        arguments = arguments_text(function.get("arguments")) or "{}"
        return [ToolCallDelta(self._calls - 1, str(id) if id else None, name, arguments)]


_COUNTS = ("prompt_eval_count", "eval_count")


def _json(value: object) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}
