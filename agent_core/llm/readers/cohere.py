"""Read answers of Cohere's second API: events of a message, or a whole message.

https://docs.cohere.com/reference/chat-stream
"""

from __future__ import annotations

from agent_core.domain.model_adapter import ModelEvent, ReasoningDelta, ToolCallDelta
from agent_core.llm.readers.reader import AnswerReader, call_delta, deltas_of, sources_of
from agent_core.support.plain_json import Json, fields_of, items_of

_REASONS = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
    "TIMEOUT": "network_error",
}


class CohereReader(AnswerReader):
    """Reader of Cohere's events and whole messages."""

    KEYS = frozenset({"type", "message", "finish_reason"})
    COUNTS = ("input_tokens", "output_tokens")

    def read(self, value: Json, /) -> list[ModelEvent]:
        """Return the events of one value."""
        about = fields_of(value.get("delta")) or value
        self.count(fields_of(about.get("usage")).get("tokens"))
        if isinstance(id := value.get("id"), str):
            self.about["id"] = id
        if reason := about.get("finish_reason"):
            self.finish = _REASONS.get(str(reason), str(reason).lower())
            self.message = str(about.get("error") or "")
        message = fields_of(about.get("message"))
        events: list[ModelEvent] = []
        if isinstance(plan := message.get("tool_plan"), str) and plan:
            events.append(ReasoningDelta(plan))
        for block in map(fields_of, _listed(message.get("content"))):
            events += deltas_of(block.get("thinking"), ReasoningDelta) + deltas_of(block.get("text"))
        for place, call in enumerate(map(fields_of, _listed(message.get("tool_calls")))):
            events.append(_call(value.get("index", place), call))
        return events + [source for each in _listed(message.get("citations")) for source in _cited(each)]


def _listed(value: object) -> list[object]:
    """Return a list of items; an event has a single item in place of a list."""
    return [value] if isinstance(value, dict) else items_of(value)


def _call(index: object, call: Json) -> ToolCallDelta:
    function = fields_of(call.get("function"))
    number = index if isinstance(index, int) else None
    return call_delta(number, call.get("id"), function.get("name"), function.get("arguments"))


def _cited(citation: object) -> list[ModelEvent]:
    return sources_of(
        [fields_of(each).get("document") for each in items_of(fields_of(citation).get("sources"))]
    )
