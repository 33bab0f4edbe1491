"""Read answers in Gemini's format: candidates with parts, streamed or whole.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from agent_core.domain.model_adapter import (
    File,
    HostedCall,
    HostedResult,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
)
from agent_core.llm.readers.reader import AnswerReader, arguments_text, call_delta, deltas_of, sources_of
from agent_core.support.plain_json import Json, fields_of, items_of


class GeminiReader(AnswerReader):
    """Reader of Gemini's responses."""

    KEYS = frozenset({"candidates", "promptFeedback", "usageMetadata"})

    def __init__(self, decoder: Any = None) -> None:
        super().__init__(decoder)
        self._calls = 0
        self._ran = 0  # number of calls of Gemini's own code execution

    def _usage(self, litellm: Any, newest: Json) -> Any:
        module = import_module("litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini")
        return module.VertexGeminiConfig.calculate_usage({"usageMetadata": newest})

    def read(self, response: Json) -> list[ModelEvent]:
        """Return the events of one response."""
        self.count(response.get("usageMetadata"))
        for key, name in (("responseId", "id"), ("modelVersion", "model")):
            if isinstance(value := response.get(key), str):
                self.about[name] = value
        if blocked := fields_of(response.get("promptFeedback")).get("blockReason"):
            self.finish = str(blocked)
            self.message = str(fields_of(response.get("promptFeedback")).get("blockReasonMessage") or "")
        if not (candidates := items_of(response.get("candidates"))):
            return []
        if (candidate := self.chosen(candidates, ("content",))) is None:
            return []
        if finish := candidate.get("finishReason"):
            self.finish = str(finish)
        self.message = str(candidate.get("finishMessage") or self.message)
        events: list[ModelEvent] = []
        for part in items_of(fields_of(candidate.get("content")).get("parts")):
            events += self._part(fields_of(part))
        if self._calls and self.finish == "STOP":
            self.finish = "tool_calls"  # Gemini has no finish reason for it
        return [*events, *_sources(fields_of(candidate.get("groundingMetadata")))]

    def _part(self, part: Json) -> list[ModelEvent]:
        signature = part.get("thoughtSignature") or part.get("thought_signature")
        signed = {"google": {"thoughtSignature": signature}} if signature else None
        call = part.get("functionCall") or part.get("function_call")
        if isinstance(call, dict):
            fields = cast(Json, call)
            self._calls += 1
            arguments = arguments_text(fields.get("args")) or "{}"
            return [call_delta(self._calls - 1, fields.get("id"), fields.get("name"), arguments, signed)]
        if (ran := fields_of(part.get("executableCode"))) and ran.get("code"):
            self._ran += 1
            return [HostedCall(f"code_{self._ran}", "code_execution", ran)]
        if came := fields_of(part.get("codeExecutionResult")):
            failed = came.get("outcome") not in (None, "OUTCOME_OK")
            words = f"{came.get('outcome')}: {came.get('output') or ''}" if failed else None
            return [HostedResult(f"code_{self._ran}", came, words)]
        if (ran := part.get("toolCall") or part.get("toolResponse")) and isinstance(ran, dict):
            return invocation(_as_litellm_has_it(part))
        drawn = fields_of(part.get("inlineData") or part.get("inline_data"))
        if isinstance(data := drawn.get("data"), str) and part.get("thought") is not True:
            return [File(str(drawn.get("mimeType") or drawn.get("mime_type") or "image/png"), data, signed)]
        thought = part.get("thought") is True
        delta = ReasoningDelta if thought else TextDelta
        events = deltas_of(part.get("text"), delta)
        return [*events, delta("", signed)] if signed else events


def _as_litellm_has_it(part: Json) -> Json:
    """Return a call of Google's own tool, or its response, in the form in which litellm accepts it back."""
    call, came = fields_of(part.get("toolCall")), fields_of(part.get("toolResponse"))
    signature, head = part.get("thoughtSignature"), call or came
    ran = {"tool_type": head.get("toolType"), "id": head.get("id")}
    if call:
        return ran | {"args": call.get("args")} | ({"thought_signature": signature} if signature else {})
    signed = {"response_thought_signature": signature} if signature else {}
    return ran | {"response": came.get("response")} | signed


def invocation(ran: Json) -> list[ModelEvent]:
    """Return a call of Google's own tool, its result, or both."""
    id, metadata = str(ran.get("id") or ""), {"google": {"invocation": ran}}
    name = str(ran.get("tool_type") or "google_tool").lower()
    if "args" not in ran:
        return [HostedResult(id, ran.get("response"), None, metadata)]
    call = HostedCall(id, name, ran.get("args"), metadata)
    return [call, HostedResult(id, ran["response"], None, metadata)] if "response" in ran else [call]


def _sources(grounding: Json) -> list[ModelEvent]:
    """Return the web pages of Google's search."""
    return sources_of(
        [fields_of(each).get("web") for each in items_of(grounding.get("groundingChunks"))], "uri"
    )
