"""Read answers in Ollama's format: one message per object, the last one with `done`.

https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
"""

from __future__ import annotations

from typing import Any

from agent_core.domain.model_adapter import ModelEvent, ReasoningDelta
from agent_core.llm.readers.reader import AnswerReader, arguments_text, call_delta, deltas_of
from agent_core.support.plain_json import Json, fields_of, items_of


class OllamaReader(AnswerReader):
    """Reader of Ollama's objects."""

    KEYS = frozenset({"message", "done"})
    COUNTS = ("prompt_eval_count", "eval_count")

    def __init__(self, decoder: Any = None) -> None:
        super().__init__(decoder)
        self._calls = 0

    def read(self, value: Json) -> list[ModelEvent]:
        """Return the events of one object."""
        if isinstance(model := value.get("model"), str):
            self.about["model"] = model
        message = fields_of(value.get("message"))
        events: list[ModelEvent] = deltas_of(message.get("thinking"), ReasoningDelta)
        events += deltas_of(message.get("content"))
        for call in items_of(message.get("tool_calls")):
            events += self._call(fields_of(call))
        if value.get("done") is True:
            self.finish = str(value.get("done_reason") or "stop")
            self.usages.append({key: value[key] for key in self.COUNTS if isinstance(value.get(key), int)})
        return events

    def _call(self, call: Json) -> list[ModelEvent]:
        function = fields_of(call.get("function"))
        name = function.get("name")
        if not isinstance(name, str) or not name:
            return []
        self._calls += 1
        arguments = arguments_text(function.get("arguments")) or "{}"
        return [call_delta(self._calls - 1, call.get("id"), name, arguments)]
