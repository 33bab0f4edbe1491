"""Reading an answer in Gemini's form: candidates with parts, streamed or whole.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

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
from agent_core.llm.content import Kind, deltas_of
from agent_core.llm.reading import arguments_text

Json = dict[str, Any]


class GeminiReader:
    """Reads Gemini's responses; see `JsonReader` for the attributes."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self.message = ""
        self.usages: list[Json] = []
        self.about: Json = {}
        self._calls = 0
        self._ran = 0  # calls of Gemini's own code execution

    def read(self, response: Json) -> list[ModelEvent]:
        """Return the events of one response."""
        if isinstance(usage := response.get("usageMetadata"), dict):
            self.usages.append(cast(Json, usage))
        for key, name in (("responseId", "id"), ("modelVersion", "model")):
            if isinstance(value := response.get(key), str):
                self.about[name] = value
        if blocked := _json(response.get("promptFeedback")).get("blockReason"):
            self.finish = str(blocked)
            self.message = str(_json(response.get("promptFeedback")).get("blockReasonMessage") or "")
        candidates = response.get("candidates")
        if not isinstance(candidates, list) or not candidates:
            return []
        candidate = _json(cast("list[Any]", candidates)[0])
        if finish := candidate.get("finishReason"):
            self.finish = str(finish)
        self.message = str(candidate.get("finishMessage") or self.message)
        parts = _json(candidate.get("content")).get("parts")
        events: list[ModelEvent] = []
        for part in cast("list[Any]", parts) if isinstance(parts, list) else []:
            events += self._part(_json(part))
        if self._calls and self.finish == "STOP":
            self.finish = "tool_calls"  # Gemini has no word of its own for it
        return [*events, *_sources(_json(candidate.get("groundingMetadata")))]

    def end(self) -> list[ModelEvent]:
        """Return the events that the end of the answer brings: none."""
        return []

    def _part(self, part: Json) -> list[ModelEvent]:
        signature = part.get("thoughtSignature") or part.get("thought_signature")
        signed = {"google": {"thoughtSignature": signature}} if signature else None
        call = part.get("functionCall") or part.get("function_call")
        if isinstance(call, dict):
            fields = cast(Json, call)
            self._calls += 1
            id, arguments = fields.get("id"), arguments_text(fields.get("args")) or "{}"
            name = str(fields.get("name") or "") or None
            return [ToolCallDelta(self._calls - 1, str(id) if id else None, name, arguments, signed)]
        if (ran := _json(part.get("executableCode"))) and ran.get("code"):
            self._ran += 1
            return [HostedCall(f"code_{self._ran}", "code_execution", ran)]
        if came := _json(part.get("codeExecutionResult")):
            failed = came.get("outcome") not in (None, "OUTCOME_OK")
            words = f"{came.get('outcome')}: {came.get('output') or ''}" if failed else None
            return [HostedResult(f"code_{self._ran}", came, words)]
        thought = part.get("thought") is True
        events = deltas_of(part.get("text"), Kind.REASONING if thought else Kind.TEXT)
        sign = ReasoningDelta if thought else TextDelta
        return [*events, sign("", signed)] if signed else events


def _json(value: object) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}


def _sources(grounding: Json) -> list[ModelEvent]:
    """Return the pages that Google's search has given."""
    chunks = grounding.get("groundingChunks")
    pages = (
        [_json(_json(each).get("web")) for each in cast("list[Any]", chunks)]
        if isinstance(chunks, list)
        else []
    )
    return [
        Source(page["uri"], str(page.get("title") or ""))
        for page in pages
        if isinstance(page.get("uri"), str)
    ]
