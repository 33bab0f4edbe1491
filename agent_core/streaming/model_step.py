"""Run one model step as an async generator of chunks, with the parts as its last value.

The generator knows neither the database nor the agent. Its caller persists the chunks as they arrive
and commits the `StepResult` at once; closing the generator closes the model's stream.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_core.domain.messages import Chunk, Part
from agent_core.domain.model_adapter import (
    File,
    Finish,
    HostedCall,
    HostedResult,
    Metadata,
    ModelAdapter,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    Usage,
    merge_metadata,
)
from agent_core.domain.signatures import METADATA, signed_by
from agent_core.domain.validation import clean_json, clean_text
from agent_core.errors import ModelError, ValidationError, words_of
from agent_core.llm.adapter_check import as_model_error, checked_event, open_events, secrets_of
from agent_core.llm.readers.call_assembly import Call, CallAssembly
from agent_core.llm.readers.finish_reasons import FAILED, PAUSED
from agent_core.llm.readers.think_tags import TextSlice
from agent_core.llm.readers.unopened_think_tags import UNOPENED, ThoughtParser
from agent_core.sentences import sentence
from agent_core.streaming.final_parts import cited, cut_short, no_answer
from agent_core.streaming.fold import fold
from agent_core.support.ids import new_id
from agent_core.tools.provider_tools import HostedCalls, paused_calls, provider_tool_names

_WITHOUT_WIDTH = " \n\u200b\u200c\u200d\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool call that the model requests.

    Attributes:
        id: unique within the thread.
        name: name of the tool as the model wrote it; may be unknown.
        arguments: JSON text as the model wrote it; may be invalid JSON.
        position: index among the calls of this step, from 0.
    """

    id: str
    name: str
    arguments: str
    position: int


@dataclass(frozen=True, slots=True)
class StepResult:
    """Result of a model step: the parts to commit and the tool calls to run next.

    `finish_reason` is informative: whether the turn continues depends on `tool_requests` alone,
    because providers send calls with any reason. `metadata` is the provider's metadata of the answer, by
    provider: its id, the model that served it, its own finish reason, …
    """

    parts: list[Part]
    tool_requests: list[ToolRequest]
    usage: Usage | None
    finish_reason: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_paused(self) -> bool:
        """Whether the provider paused within its own tools, so that the request must be continued."""
        return self.finish_reason == PAUSED and not self.tool_requests


async def model_step(
    adapter: ModelAdapter,
    request: ModelRequest,
    *,
    taken_ids: Collection[str] = (),
    include_tool_input_deltas: bool = False,
    opening: Sequence[Chunk] = (),
) -> AsyncGenerator[Chunk | StepResult]:
    """Request the model once; yield chunks as they arrive and one `StepResult` last.

    The first chunk (`start-step`) comes with the first token, not before, so that the text of a lost
    attempt can stay visible until then. The caller adds `finish-step` when it commits the result.

    Args:
        adapter: the model.
        request: the request.
        taken_ids: ids of the thread's earlier tool calls; a call that repeats one gets a new id.
        include_tool_input_deltas: yield the arguments of calls while they are streamed.
        opening: data chunks at the start of the step, sent with the first token.

    Raises:
        ModelError: the request failed, its stream ended before the model had finished, or the answer was
            empty.
    """
    told = bool(request.messages) and request.messages[-1].get("role") == "tool"
    hosted = provider_tool_names(request.provider_tools)
    paused = paused_calls(request.messages)
    step = _Step(adapter.name, taken_ids, include_tool_input_deltas, opening, told, hosted, paused)
    events: AsyncIterator[ModelEvent] | None = None
    try:
        events = open_events(adapter, request)
        async for event in events:
            for chunk in step.take(checked_event(adapter, event)):
                yield chunk
        chunks = step.end()
    except ModelError as error:
        error.usage = step.usage
        error.args = (words_of(error, secrets_of(adapter, request)),)
        raise
    except BaseException as error:
        failure = as_model_error(adapter, request, error)
        failure.usage = step.usage
        raise failure from error
    finally:
        await _close(events)
    for chunk in chunks:
        yield chunk
    yield step.result()


async def _close(events: AsyncIterator[ModelEvent] | None) -> None:
    """Close the provider's stream now instead of at garbage collection, so that generation stops."""
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()


class _Step:
    """State of one step: its open block, its tool calls and its finish.

    Args:
        model: name of the model.
        taken_ids, include_tool_input_deltas, opening: see `model_step`.
        told: whether the request ends with a tool's outcome, after which an empty answer is valid.
        hosted: names of the tools that the provider runs itself.
        paused: calls of these tools that the previous step left open.
    """

    def __init__(
        self,
        model: str,
        taken_ids: Collection[str],
        include_tool_input_deltas: bool,
        opening: Sequence[Chunk],
        told: bool,
        hosted: Collection[str] = (),
        paused: Mapping[str, Chunk] | None = None,
    ) -> None:
        self._hosted = HostedCalls(hosted, self._signed, paused)
        self._model = model
        self._taken = taken_ids
        self._opening = opening
        self._told = told
        self._own_ids: set[str] = set()
        self._show_input = include_tool_input_deltas
        self._whole: list[Chunk] = []  # the chunks of the step, with the deltas of each block joined
        self._kind = ""  # of the open block: "text", "reasoning", or "" when none is open
        self._pieces: list[str] = []
        self._metadata: dict[str, Any] = {}  # of the open block
        self._blocks = 0
        self._half = ""  # a high surrogate, until the next delta brings the low one
        self._thoughts = ThoughtParser()
        self._spoken = False  # whether there is text, or a file
        self._assembly = CallAssembly()
        self._ids: dict[Call, str] = {}  # of the calls whose start was yielded
        self._requests: list[ToolRequest] = []
        self._sources: dict[str, str] = {}  # titles by URL, each once, in order
        self._usage: Usage | None = None
        self._finish: Finish | None = None

    @property
    def usage(self) -> Usage | None:
        """Usage of the request, as far as the provider has reported it."""
        return self._usage

    def take(self, event: ModelEvent) -> list[Chunk]:
        """Return the chunks for an event."""
        if isinstance(event, TextDelta):
            return self._text(event)
        if isinstance(event, ReasoningDelta):
            held = self._tell(self._thoughts.rule_out()) if event.text or event.metadata else []
            return held + self._write("reasoning", event.text) + self._sign("reasoning", event)
        if isinstance(event, ToolCallDelta):
            pieces = self._assembly.divide(event)
            return self._settle_text() + [chunk for piece in pieces for chunk in self._call(piece)]
        if isinstance(event, HostedCall | HostedResult):
            return self._settle_text() + self._host(event)
        if isinstance(event, File):
            return self._settle_text() + self._file(event)
        if isinstance(event, Source):
            self._sources[event.url] = event.title or self._sources.get(event.url, "")
        elif isinstance(event, Usage):
            self._usage = event
        else:
            self._finish = event
        return []

    def end(self) -> list[Chunk]:
        """Return the chunks that close the step.

        Raises:
            ModelError: the answer is incomplete or empty; retryable.
        """
        if self._finish is None:
            raise ModelError(sentence("answer_incomplete"), kind="truncated", retryable=True)
        begun = self._settle_text()
        ending = self._ending(self._finish)
        # Sources come last: a source in the middle would split a paragraph.
        chunks = begun + self._start() + self._close_block() + self._note(cited(self._sources))
        for call in self._assembly.calls:
            if call not in self._ids:
                chunks += self._open_call(call, call.name or "unnamed_tool")
            chunks += self._close_call(call)
        for kept, shown in self._hosted.unanswered(paused=self._finish.reason == PAUSED):
            self._whole += kept
            chunks += self._note(shown)
        return chunks + self._note(ending)

    def _ending(self, finish: Finish) -> list[Chunk]:
        """Return the final note of a step without tool requests.

        An answer without text, calls and a reason for being cut is an error. After a tool's outcome such an
        answer is valid, and a note says that it is empty.
        """
        if finish.reason in FAILED:
            raise no_answer(finish)
        asks = any(not self._hosted.runs(call.given_id, call.name) for call in self._assembly.calls)
        if finish.reason == PAUSED and (self._hosted or self._spoken or self._kind):
            return []
        if asks or self._spoken:
            return [] if asks else cut_short(finish.reason)
        if self._hosted or self._assembly.calls:
            return cut_short(finish.reason, silent=True)
        if not (notes := cut_short(finish.reason, silent=self._told)):
            raise no_answer(finish)
        return notes

    def result(self) -> StepResult:
        """Return the whole step; call it after `end`."""
        finish = self._finish or Finish("unknown")
        about = clean_json(finish.metadata or {})
        return StepResult(fold(self._whole), self._requests, self._usage, finish.reason, about)

    def _start(self) -> list[Chunk]:
        if self._whole:
            return []
        return self._note([{"type": "start-step"}, *self._opening])

    def _note(self, chunks: list[Chunk]) -> list[Chunk]:
        self._whole += chunks
        return chunks

    def _text(self, event: TextDelta) -> list[Chunk]:
        if self._thoughts.over:
            return self._speak("text", event.text) + self._sign("text", event)
        chunks = self._tell(self._thoughts.feed(event.text))
        held = self._tell(self._thoughts.rule_out()) if event.metadata else []
        return chunks + held + self._sign("text", event)

    def _settle_text(self) -> list[Chunk]:
        """Return the chunks of text that was held back as a possible thought."""
        return [] if self._thoughts.over else self._tell(self._thoughts.end())

    def _tell(self, pieces: Sequence[TextSlice]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for kind, text in pieces:
            chunks += self._rethink(text) if kind == UNOPENED else self._speak(kind, text)
        return chunks

    def _rethink(self, thought: str) -> list[Chunk]:
        """Reset all text so far and write it again as reasoning."""
        shown = bool(self._whole)
        self._whole, self._kind, self._pieces, self._spoken = [], "", [], False
        chunks: list[Chunk] = []
        if shown:
            _, *opening = self._start()  # `start-step` stays
            chunks = [{"type": "reset-step"}, *opening]
        return chunks + self._write("reasoning", thought) + self._close_block()

    def _speak(self, kind: str, text: str) -> list[Chunk]:
        self._spoken = self._spoken or (kind == "text" and not _is_blank(text))
        return self._write(kind, text)

    def _write(self, kind: str, text: str) -> list[Chunk]:
        if kind != self._kind:
            self._half = ""
        if self._half or not text.isascii() or "\0" in text:
            text = self._mend(text)
        if not text:
            return []
        opening = [] if kind == self._kind else self._open_block(kind)
        self._pieces.append(text)
        opening.append({"type": kind + "-delta", "id": str(self._blocks), "delta": text})
        return opening

    def _mend(self, text: str) -> str:
        """Join surrogate pairs that were split between deltas; clean the text."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return clean_text(text)

    def _sign(self, kind: str, event: TextDelta | ReasoningDelta) -> list[Chunk]:
        """Add the event's metadata to the open block; an event without text ends the block."""
        if not event.metadata:
            return []
        chunks: list[Chunk] = []
        if self._kind != kind:
            if kind == "text" or event.text:
                return []
            chunks = self._open_block(kind)
        merge_metadata(self._metadata, event.metadata)
        return chunks if event.text else chunks + self._close_block()

    def _open_block(self, kind: str) -> list[Chunk]:
        chunks = self._start() + self._close_block()
        self._blocks += 1
        self._kind = kind
        return chunks + self._note([{"type": f"{kind}-start", "id": str(self._blocks)}])

    def _close_block(self) -> list[Chunk]:
        if not self._kind:
            return []
        kind, name = self._kind, str(self._blocks)
        if self._pieces:
            self._whole.append({"type": f"{kind}-delta", "id": name, "delta": "".join(self._pieces)})
        signed = self._signed(self._metadata)
        self._kind, self._pieces, self._metadata = "", [], {}
        return self._note([{"type": f"{kind}-end", "id": name, **signed}])

    def _signed(self, metadata: Metadata) -> Chunk:
        return {METADATA: clean_json(signed_by(self._model, metadata))} if metadata else {}

    def _call(self, delta: ToolCallDelta) -> list[Chunk]:
        call = self._assembly.take(delta)
        chunks: list[Chunk] = []
        if call not in self._ids and call.name:
            chunks = self._start() + self._close_block() + self._open_call(call, call.name)
        hosted = self._hosted.runs(call.given_id, call.name)
        if delta.arguments and self._show_input and call in self._ids and not hosted:
            written = clean_text(delta.arguments)
            chunks.append(
                {"type": "tool-input-delta", "toolCallId": self._ids[call], "inputTextDelta": written}
            )
        return chunks

    def _open_call(self, call: Call, name: str) -> list[Chunk]:
        id = self._ids[call] = self._free_id(call.given_id or "")
        call.name = clean_text(name)
        if self._hosted.runs(call.given_id, name):
            return []  # yielded once its arguments are complete
        head = {"type": "tool-input-start", "toolCallId": id, "toolName": call.name}
        return self._note([head | self._signed(call.metadata)])

    def _free_id(self, wanted: str) -> str:
        id = clean_text(wanted)
        if not id or id in self._taken or id in self._own_ids:
            id = new_id("call")
        self._own_ids.add(id)
        return id

    def _host(self, event: HostedCall | HostedResult) -> list[Chunk]:
        if isinstance(event, HostedCall):
            chunks = self._start() + self._close_block()
            return chunks + self._note(self._hosted.call(event, self._free_id))
        kept, shown = self._hosted.result(event)
        self._whole += kept
        return self._note(shown)

    def _file(self, event: File) -> list[Chunk]:
        self._spoken = True
        url = event.data if ":" in event.data else f"data:{event.media_type};base64,{event.data}"
        chunk = {"type": "file", "mediaType": clean_text(event.media_type), "url": clean_text(url)}
        return self._start() + self._close_block() + self._note([chunk | self._signed(event.metadata or {})])

    def _close_call(self, call: Call) -> list[Chunk]:
        text, value = _read_arguments(call.text)
        id = self._ids[call]
        if self._hosted.runs(call.given_id, call.name):
            return self._note(self._hosted.call(HostedCall(id, call.name, value), lambda known: known))
        self._requests.append(ToolRequest(id, call.name, text, len(self._requests)))
        head = {"type": "tool-input-available", "toolCallId": id, "toolName": call.name, "input": value}
        return self._note([head | self._signed(call.metadata)])


def _is_blank(text: str) -> bool:
    """Return whether a text has only whitespace and zero-width characters."""
    return not text.strip(_WITHOUT_WIDTH).strip()


def _read_arguments(raw: str) -> tuple[str, Any]:
    """Return the text of the arguments and their value; invalid JSON is its own value.

    Some providers send an empty text for a call without arguments: that becomes an empty object.
    """
    text = clean_text(raw).strip() or "{}"
    try:
        value = json.loads(text)
        clean = clean_json(value)
    except (ValueError, RecursionError, ValidationError):
        return text, text
    # JSON escapes can contain characters that clean text does not.
    return (text, value) if clean == value else (json.dumps(clean, ensure_ascii=False), clean)
