"""Read answers in OpenAI's chat format.

Most providers use this format, each with its own form of reasoning, so all forms are read from all providers.
Answers from litellm's stream wrapper are in this format, too.
"""

from __future__ import annotations

import contextlib
import json
from importlib import import_module
from typing import Any, cast

from agent_core.domain.model_adapter import (
    File,
    HostedCall,
    HostedResult,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from agent_core.domain.reasoning_details import add_detail
from agent_core.domain.signatures import REASONING_FIELDS
from agent_core.llm.readers.reader import AnswerReader, call_delta, deltas_of, index_of, sources_of, texts_of
from agent_core.support.plain_json import Json, fields_of, items_of

_BESIDE = ("citations", "search_results")
"""Keys of Perplexity's sources beside each delta: URLs only, and URLs with titles."""

_SAID = ("delta", "message", "text")
"""Keys of a choice's content: in a stream, in a whole completion, in a text completion."""

_NO_REASONING = (None, "", True, False)
"""Values of a field of reasoning that has none; some servers only mark a delta as reasoning."""

_CALLS = frozenset({"tool_use", "tool_call", "tool-call", "function_call", "function"})
"""Types of parts that are calls, of gateways that translate other formats incompletely."""

_ARGUMENTS = ("arguments", "parameters", "input", "args")
"""Keys of the arguments of a call: OpenAI's, then those of templates and of other formats."""

_ABOUT = ("id", "model", "system_fingerprint", "service_tier", "provider")
"""Keys of a chunk with metadata of the whole answer."""


class ChatReader(AnswerReader):
    """Reader of OpenAI's chunks and whole completions."""

    KEYS = frozenset({"choices"})

    def __init__(self, decoder: Any = None) -> None:
        super().__init__(decoder)
        self._details = _Details()
        self._ran: set[str] = set()  # ids of calls that the provider ran
        self._streamed = False  # whether a delta had content
        self._thought = False  # whether there was reasoning
        self._call = 0  # the index of the newest fragment of a tool call
        self._has_called = False
        self._is_text_open = False  # whether the newest event is text

    def _usage(self, litellm: Any, newest: Json) -> Any:
        total = (newest.get("prompt_tokens") or 0) + (newest.get("completion_tokens") or 0)
        return litellm.Usage(**newest | {"total_tokens": total})

    def read(self, chunk: Json, /) -> list[ModelEvent]:
        """Return the events of one chunk."""
        self.count(chunk.get("usage"))
        for key in _ABOUT:
            if isinstance(value := chunk.get(key), str):
                self.about[key] = value
        events: list[ModelEvent] = [source for key in _BESIDE for source in _sources(chunk.get(key))]
        choices = chunk.get("choices")
        if not choices or (fields := self.chosen(items_of(choices) or [choices], _SAID)) is None:
            return events
        if finish := fields.get("finish_reason"):
            self.finish = str(finish)
        whole = fields.get("message")
        delta: Any = fields.get("delta")
        if whole is not None and self.finish is None:
            self.finish = "stop"  # a whole completion has ended, with or without a finish reason
        if not delta and whole and not self._streamed:  # some providers repeat the streamed content in it
            return events + self._delta(fields_of(whole))
        if not delta and isinstance(text := fields.get("text"), str):
            delta = {"content": text}  # the form of servers for text completions
        for each in map(fields_of, cast("list[object]", delta) if isinstance(delta, list) else [delta]):
            said = self._delta(each)
            self._streamed = self._streamed or bool(said)
            events += said
        return events

    def end(self) -> list[ModelEvent]:
        """Return the end of a reasoning part with the details that its provider expects back."""
        details = self._details.of_reasoning()
        return [ReasoningDelta("", {"openrouter": {"reasoning_details": details}})] if details else []

    def _delta(self, delta: Json) -> list[ModelEvent]:
        thought = self._reasoning(delta)
        said = deltas_of(delta.get("content"))
        said += map(TextDelta, texts_of(delta.get("refusal")))
        calls = delta.get("tool_calls") or delta.get("tool_call")
        said += self._calls(calls or [*_inner_calls(delta), *([delta] if delta.get("function_call") else [])])
        said += self._executed(delta.get("executed_tools"))
        if said:
            details = self._details.of_call() if _has_call(said) else None
            said = [*self.end(), *_with_details(said, details)]
        said += self._extra(delta.get("extra_content"), said)
        return [*thought, *said, *_files(delta), *_sources(delta.get("annotations"))]

    def _extra(self, extra: object, said: list[ModelEvent]) -> list[ModelEvent]:
        """Return the signature of Gemini's compatible endpoint for a text, or for a message without text."""
        if said:
            self._is_text_open = isinstance(said[-1], TextDelta)
        if not _signs(extra):
            return []
        metadata = {"openaiCompatible": {"extraContent": extra}}
        opened, self._is_text_open = self._is_text_open, False
        return [TextDelta("", metadata) if opened else ReasoningDelta("", metadata)]

    def _calls(self, calls: object) -> list[ModelEvent]:
        """Return the fragments of function calls; calls of other types are ignored.

        A fragment without an index continues the previous call, or is one of several calls in its delta.
        """
        found: list[ModelEvent] = []
        listed = _flat(calls)
        for place, fields in enumerate(map(fields_of, listed)):
            function = _function(fields)
            if not function and not (self._has_called and _call_metadata(fields)):
                continue  # without a function only a signature that was sent after its call counts
            index = index_of(fields.get("index"))
            if index is None:
                index = place if len(listed) > 1 else self._call
            self._call, self._has_called = index, True
            found.append(
                call_delta(
                    *(index, fields.get("id") or fields.get("call_id"), function.get("name")),
                    next((function[key] for key in _ARGUMENTS if function.get(key)), None),
                    _call_metadata(fields),
                )
            )
        return found

    def _executed(self, tools: object) -> list[ModelEvent]:
        """Return the hosted calls of Groq's compound models, which are repeated with their output."""
        found: list[ModelEvent] = []
        for place, fields in enumerate(map(fields_of, items_of(tools))):
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
        """Return the reasoning of a delta, with metadata of the field in which to send it back."""
        field = next((name for name in REASONING_FIELDS if delta.get(name) not in _NO_REASONING), "")
        details = delta.get("reasoning_details")
        if isinstance(details, list):
            self._details.add(cast("list[Any]", details))
        metadata = {"openaiCompatible": {"reasoningField": field}} if field else None
        blocks = items_of(delta.get("thinking_blocks"))
        if not self._thought and any(map(_is_whole, blocks)):
            return _signed(blocks, texts=True)
        texts = texts_of(delta.get(field)) if field else texts_of(blocks)
        if not texts and isinstance(details, list):
            texts = self._details.newest
        self._thought = self._thought or bool(texts)
        return [*(ReasoningDelta(text, metadata) for text in texts), *_signed(blocks)]


class XaiReader(ChatReader):
    """Reader of xAI's chunks, whose completion tokens exclude reasoning."""

    def _usage(self, litellm: Any, newest: Json) -> Any:
        config = import_module("litellm.llms.xai.chat.transformation").XAIChatConfig
        config.fold_reasoning_tokens_into_completion(newest)
        return super()._usage(litellm, newest)


def _is_whole(block: object) -> bool:
    """Return whether a block of thinking has its signature beside its text, as in a whole message."""
    return all(fields_of(block).get(key) for key in ("thinking", "signature"))


def _signed(blocks: list[Any], *, texts: bool = False) -> list[ModelEvent]:
    """Return the signatures of Anthropic's thinking from litellm's wrapper, or its proxy, on demand with the texts."""
    found: list[ModelEvent] = []
    for fields in map(fields_of, blocks):
        if texts and isinstance(text := fields.get("thinking"), str):
            found.append(ReasoningDelta(text))
        if fields.get("type") == "redacted_thinking" and fields.get("data"):
            found.append(ReasoningDelta("", {"anthropic": {"redactedData": fields["data"]}}))
        elif fields.get("signature"):
            found.append(ReasoningDelta("", {"anthropic": {"signature": fields["signature"]}}))
    return found


def _inner_calls(delta: Json) -> list[Json]:
    """Return the calls among the parts of a content."""
    parts = map(fields_of, items_of(delta.get("content")))
    return [part for part in parts if str(part.get("type")) in _CALLS]


def _flat(calls: object) -> list[object]:
    """Return calls as a flat list: some servers nest lists, or number the calls by the keys of an object."""
    if isinstance(calls, list):
        return [one for each in cast("list[object]", calls) for one in _flat(each)]
    fields = fields_of(calls)
    return list(fields.values()) if fields and all(map(str.isdigit, fields)) else [calls]


def _function(call: Json) -> Json:
    """Return the function of a call, whose name and arguments may be beside it."""
    inner = call.get("function") or call.get("function_call")
    if isinstance(inner, str):
        return {**call, "name": inner}
    return fields_of(inner or (call if isinstance(call.get("name"), str) else None))


def _has_call(events: list[ModelEvent]) -> bool:
    return any(isinstance(event, ToolCallDelta) for event in events)


def _with_details(events: list[ModelEvent], details: list[Json] | None) -> list[ModelEvent]:
    """Add the reasoning details beside the calls to the first call."""
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
            files.append(File(_media_type_of(url), url))
    return files


def _media_type_of(url: str) -> str:
    """Return the media type of a `data:` URL; image/png for any other URL."""
    named = url.removeprefix("data:").partition(",")[0].partition(";")[0] if url.startswith("data:") else ""
    return named or "image/png"


def _sources(found: object) -> list[ModelEvent]:
    """Return the sources of a list of citations: URLs, dicts with url and title, or nested dicts of this kind.

    The last is OpenAI's form, to which litellm converts Gemini's: {"type": "url_citation", "url_citation": {…}}.
    """
    pages = [fields_of(each) or {"url": each} for each in items_of(found)]
    return sources_of([page.get("url_citation") or page for page in pages])


def _call_metadata(call: Json) -> Json | None:
    """Return the metadata of a call that its provider expects back.

    Gemini's compatible endpoint puts the signature into `extra_content`, litellm's wrapper (for Gemini's own
    endpoint) and its proxy into `provider_specific_fields`.
    """
    extra = call.get("extra_content") or fields_of(call.get("function")).get("extra_content")
    if _signs(extra):
        return {"openaiCompatible": {"extraContent": extra}}
    signature = fields_of(call.get("provider_specific_fields")).get("thought_signature")
    return {"google": {"thoughtSignature": signature}} if signature else None


def _signs(extra: object) -> bool:
    """Return whether extra content has a signature; it may have only `{"google": {"thought": true}}`."""
    vendors = fields_of(extra).values()
    return any(
        value not in _NO_REASONING for each in vendors for value in fields_of(each).values() or (each,)
    )


class _Details:
    """OpenRouter's reasoning details of an answer, which are sent back; see `add_detail`.

    `newest` has the readable texts of the last fragments.
    """

    def __init__(self) -> None:
        self._open: list[Json] = []
        self.newest: list[str] = []

    def add(self, details: list[Any]) -> None:
        """Add the details of one delta."""
        self.newest = []
        for detail in details:
            if not isinstance(detail, dict):
                continue
            fields = fields_of(cast(object, detail))
            text = fields.get("text") or fields.get("summary")
            if isinstance(text, str):
                self.newest.append(text)
            add_detail(self._open, fields)

    def of_reasoning(self) -> list[Json]:
        """Return the details so far, and reset them."""
        found, self._open = self._open, []
        return found

    def of_call(self) -> list[Json] | None:
        """Return the details of a call: all of them if they have no text."""
        if not self._open or any(detail.get("text") or detail.get("summary") for detail in self._open):
            return None
        return self.of_reasoning()
