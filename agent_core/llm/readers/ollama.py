"""Read answers in Ollama's format: one message per object, the last one with `done`.

https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
"""

from __future__ import annotations

from agent_core.domain.model_adapter import ModelEvent, ToolCallDelta
from agent_core.llm.readers.content import ContentKind, deltas_of
from agent_core.llm.readers.openai_chat import arguments_text
from agent_core.llm.readers.reader import AnswerReader, Json, fields_of, items_of


class OllamaReader(AnswerReader):
    """Reader of Ollama's objects."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    def read(self, value: Json) -> list[ModelEvent]:
        """Return the events of one object."""
        if isinstance(model := value.get("model"), str):
            self.about["model"] = model
        message = fields_of(value.get("message"))
        events: list[ModelEvent] = deltas_of(message.get("thinking"), ContentKind.REASONING)
        events += deltas_of(message.get("content"))
        for call in items_of(message.get("tool_calls")):
            events += self._call(fields_of(call))
        if value.get("done") is True:
            self.finish = str(value.get("done_reason") or "stop")
            self.usages.append({key: value[key] for key in _COUNTS if isinstance(value.get(key), int)})
        return events

    def _call(self, call: Json) -> list[ModelEvent]:
        function = fields_of(call.get("function"))
        name, id = function.get("name"), call.get("id")
        if not isinstance(name, str) or not name:
            return []
        self._calls += 1
        arguments = arguments_text(function.get("arguments")) or "{}"
        return [ToolCallDelta(self._calls - 1, str(id) if id else None, name, arguments)]


_COUNTS = ("prompt_eval_count", "eval_count")
