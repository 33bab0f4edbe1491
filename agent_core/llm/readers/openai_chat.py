"""Reading an answer in OpenAI's form: deltas become events; usage and the finish reason are kept.

Most providers speak this form, each with a way of its own to say what the model thinks, so all ways are
read from all of them. Answers that come through litellm's stream wrapper are in this form, too.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any, cast

from agent_core.domain.model_adapter import (
    File,
    HostedCall,
    HostedResult,
    ModelEvent,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
)
from agent_core.domain.signatures import REASONING_FIELDS
from agent_core.llm.readers.content import deltas_of, pieces_of
from agent_core.llm.readers.openrouter_details import Details
from agent_core.llm.readers.reader import AnswerReader, Json, fields_of, items_of

_BESIDE = ("citations", "search_results")
"""Where Perplexity names its sources, beside each delta: as addresses alone, and with titles."""

_ABOUT = ("id", "model", "system_fingerprint", "service_tier", "provider")
"""Keys of a chunk that say something of the answer as a whole."""


class JsonReader(AnswerReader):
    """Reads OpenAI's chunks and whole completions."""

    def __init__(self) -> None:
        super().__init__()
        self._details = Details()
        self._ran: set[str] = set()  # tools that the provider has run
        self._streamed = False  # a delta has said something
        self._call = 0  # the index of the newest fragment of a tool call
        self._has_called = False

    def read(self, chunk: Json, /) -> list[ModelEvent]:
        """Return the events of one chunk."""
        self.count(chunk.get("usage"))
        for key in _ABOUT:
            if isinstance(value := chunk.get(key), str):
                self.about[key] = value
        events: list[ModelEvent] = [source for key in _BESIDE for source in _sources(chunk.get(key))]
        if not (choices := items_of(chunk.get("choices"))):
            return events
        fields = fields_of(choices[0])
        if finish := fields.get("finish_reason"):
            self.finish = str(finish)
        whole = fields.get("message")
        delta: Any = fields.get("delta")
        if whole is not None and self.finish is None:
            self.finish = "stop"  # a whole completion has ended, whether it says so or not
        if not delta and whole and not self._streamed:  # some repeat in it what they have streamed
            return events + self._delta(fields_of(whole))
        if not delta and isinstance(text := fields.get("text"), str):
            delta = {"content": text}  # as servers for text completions have it
        for each in map(fields_of, cast("list[object]", delta) if isinstance(delta, list) else [delta]):
            said = self._delta(each)
            self._streamed = self._streamed or bool(said)
            events += said
        return events

    def end(self) -> list[ModelEvent]:
        """Return the events that the end of the answer brings."""
        return self._close()

    def _delta(self, delta: Json) -> list[ModelEvent]:
        thought = self._reasoning(delta)
        said = deltas_of(delta.get("content"))
        said += [TextDelta(text) for _, text in pieces_of(delta.get("refusal"))]
        calls = delta.get("tool_calls") or ([delta] if delta.get("function_call") else [])
        said += self._calls(calls)
        said += self._executed(delta.get("executed_tools"))
        if said:
            details = self._details.of_call() if _has_call(said) else None
            said = [*self._close(), *_with_details(said, details)]
        return [*thought, *said, *_files(delta), *_sources(delta.get("annotations"))]

    def _calls(self, calls: object) -> list[ModelEvent]:
        """Return the fragments of tool calls; what is no function call is none of ours.

        One without an index goes on with the call before it, or stands beside the others of its delta.
        """
        found: list[ModelEvent] = []
        listed = cast("list[object]", calls) if isinstance(calls, list) else [calls]
        for place, call in enumerate(listed):
            fields = cast(Json, call) if isinstance(call, Mapping) else {}
            bare = fields if isinstance(fields.get("name"), str) else None
            function = fields.get("function") or fields.get("function_call") or bare
            if not isinstance(function, Mapping):
                if not (self._has_called and _call_metadata(fields)):
                    continue
                function = Json()  # what the provider wants to see again came behind its call
            index = _index(fields.get("index"))
            if index is None:
                index = place if len(listed) > 1 else self._call
            self._call, self._has_called = index, True
            found.append(_call(index, fields, cast(Json, function)))
        return found

    def _executed(self, tools: object) -> list[ModelEvent]:
        """Return what Groq's compound models have run themselves; each is told of again with its output."""
        found: list[ModelEvent] = []
        for place, each in enumerate(cast("list[object]", tools) if isinstance(tools, list) else []):
            fields = cast(Json, each) if isinstance(each, Mapping) else {}
            id, arguments = f"executed_{fields.get('index', place)}", fields.get("arguments")
            with contextlib.suppress(ValueError, TypeError):
                arguments = json.loads(cast(Any, arguments))
            if id not in self._ran:
                self._ran.add(id)
                found.append(HostedCall(id, str(fields.get("name") or fields.get("type") or ""), arguments))
            if fields.get("output") is not None:
                found.append(HostedResult(id, fields["output"]))
        return found

    def _reasoning(self, delta: Json) -> list[ModelEvent]:
        """Return the reasoning of a delta; its metadata says where it is to be sent back."""
        field = next((name for name in REASONING_FIELDS if delta.get(name)), "")
        details = delta.get("reasoning_details")
        if isinstance(details, list):
            self._details.add(cast("list[Any]", details))
        metadata = {"openaiCompatible": {"reasoningField": field}} if field else None
        texts = [text for _, text in pieces_of(delta.get(field))] if field else []
        if not texts and isinstance(details, list):
            texts = self._details.newest
        return [ReasoningDelta(text, metadata) for text in texts]

    def _close(self) -> list[ModelEvent]:
        """Return the end of a part of reasoning of which its provider must see the details again."""
        details = self._details.of_reasoning()
        return [ReasoningDelta("", {"openrouter": {"reasoning_details": details}})] if details else []


def _has_call(events: list[ModelEvent]) -> bool:
    return any(isinstance(event, ToolCallDelta) for event in events)


def _with_details(events: list[ModelEvent], details: list[Json] | None) -> list[ModelEvent]:
    """Give the first call the details that came beside it."""
    if not details:
        return events
    place = next(n for n, event in enumerate(events) if isinstance(event, ToolCallDelta))
    call = cast(ToolCallDelta, events[place])
    metadata = {**(call.metadata or {}), "openrouter": {"reasoning_details": details}}
    signed = ToolCallDelta(call.index, call.id, call.name, call.arguments, metadata)
    return [*events[:place], signed, *events[place + 1 :]]


def _files(delta: Json) -> list[ModelEvent]:
    """Return the pictures of a delta: OpenRouter's `images`, or parts of the content."""
    listed = [*items_of(delta.get("images")), *items_of(delta.get("content"))]
    files: list[ModelEvent] = []
    for part in map(fields_of, listed):
        place: Any = part.get("image_url")
        url = fields_of(place).get("url") or place
        if isinstance(url, str) and url.startswith(("data:", "https://", "http://")):
            files.append(File(media_type_of(url), url))
    return files


def media_type_of(url: str) -> str:
    """Return the type that a `data:` URL names; image/png for any other address."""
    named = url.removeprefix("data:").partition(",")[0].partition(";")[0] if url.startswith("data:") else ""
    return named or "image/png"


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


def _call(index: int, call: Json, function: Json) -> ToolCallDelta:
    id, name = call.get("id"), function.get("name")
    return ToolCallDelta(
        index,
        str(id) if id else None,
        name if isinstance(name, str) and name else None,
        arguments_text(function.get("arguments")),
        _call_metadata(call),
    )


def _index(value: object) -> int | None:
    """Return a call's number; some servers write it as text."""
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def arguments_text(value: object) -> str:
    """Return arguments as a fragment of JSON text; some providers send the object itself."""
    if isinstance(value, str):
        return value
    if not value:
        return ""  # an empty object is where arguments begin that are written afterwards
    return json.dumps(value, ensure_ascii=False)


def _call_metadata(call: Json) -> Json | None:
    """Return what of a call its provider must see again.

    Gemini's compatible endpoint puts it into `extra_content`, litellm's wrapper (for Gemini's own
    endpoint) and its proxy into `provider_specific_fields`.
    """
    if extra := call.get("extra_content") or fields_of(call.get("function")).get("extra_content"):
        return {"openaiCompatible": {"extraContent": extra}}
    fields = call.get("provider_specific_fields")
    signature = cast(Json, fields).get("thought_signature") if isinstance(fields, Mapping) else None
    return {"google": {"thoughtSignature": signature}} if signature else None
