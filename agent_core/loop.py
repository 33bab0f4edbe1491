"""One model step as an async generator: events of a model become chunks and, at the end, parts.

The loop knows neither the database nor the agent. Who drives it persists the chunks as they come
and commits the `StepResult` whole; closing the generator closes the model's stream.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from agent_core.endings import cited, cut_short
from agent_core.errors import ModelError, ValidationError, words_of
from agent_core.fold import fold
from agent_core.gate import clean_json, clean_text
from agent_core.ids import new_id
from agent_core.llm.adapter import accepted, as_model_error, begin, secrets_of
from agent_core.llm.base import (
    ModelAdapter,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agent_core.messages import Chunk, Part


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool call the model asks for.

    Attributes:
        id: unique within the thread.
        name: the tool's name as the model wrote it; it may be unknown.
        arguments: the JSON text as the model wrote it; it may not be JSON.
        position: its place among the calls of this step, from 0.
    """

    id: str
    name: str
    arguments: str
    position: int


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a model step came to: the parts to commit and the tool calls to run next.

    `finish_reason` is for the record: whether the turn goes on depends on `tool_requests` alone,
    because providers send calls with any reason.
    """

    parts: list[Part]
    tool_requests: list[ToolRequest]
    usage: Usage | None
    finish_reason: str


async def model_step(
    adapter: ModelAdapter,
    request: ModelRequest,
    *,
    taken_ids: Collection[str] = (),
    include_tool_input_deltas: bool = False,
    opening: Sequence[Chunk] = (),
) -> AsyncGenerator[Chunk | StepResult]:
    """Ask the model once; yield chunks as they arrive and one `StepResult` last.

    The first chunk (`start-step`) comes with the first token, not before, so that the text of a lost
    attempt can stay visible until then. `finish-step` is left to whoever commits the result.

    Args:
        adapter: the model.
        request: what it is asked.
        taken_ids: ids of the thread's earlier tool calls; a call that repeats one gets a fresh id.
        include_tool_input_deltas: yield the arguments of calls while they are being written.
        opening: data chunks that the step begins with; they come with the first token, too.

    Raises:
        ModelError: the request failed, or its stream ended before the model had finished.
    """
    step = _Step(taken_ids, include_tool_input_deltas, opening)
    events: AsyncIterator[ModelEvent] | None = None
    try:
        events = begin(adapter, request)
        async for event in events:
            for chunk in step.take(accepted(adapter, event)):
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
    """End the provider's stream now; leaving it to the garbage collector would let it run on."""
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()


class _Call:
    """A tool call while it is being written."""

    __slots__ = ("arguments", "given_id", "id", "name")

    def __init__(self, given_id: str | None) -> None:
        self.given_id = given_id
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def continues(self, delta: ToolCallDelta) -> bool:
        """Tell whether a fragment with the same index belongs to this call.

        Some providers number all their calls 0 and tell them apart by id alone.
        """
        return not (delta.id and delta.name and self.name and self.given_id != delta.id)


class _Step:
    """The state of one step: which block is open, which calls were asked for, how it finished."""

    def __init__(
        self, taken_ids: Collection[str], include_tool_input_deltas: bool, opening: Sequence[Chunk]
    ) -> None:
        self._taken = taken_ids
        self._opening = opening
        self._own_ids: set[str] = set()
        self._show_input = include_tool_input_deltas
        self._whole: list[Chunk] = []  # the step again, each block's deltas joined
        self._kind = ""  # of the open block: "text", "reasoning", or "" when none is open
        self._pieces: list[str] = []
        self._blocks = 0
        self._half = ""  # a high surrogate whose other half comes with the next delta
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._requests: list[ToolRequest] = []
        self._sources: dict[str, str] = {}  # titles by URL, each once, in order
        self._usage: Usage | None = None
        self._finish: str | None = None

    @property
    def usage(self) -> Usage | None:
        """What the request has used, as far as the provider has said."""
        return self._usage

    def take(self, event: ModelEvent) -> list[Chunk]:
        """Return the chunks that an event causes."""
        if isinstance(event, TextDelta):
            return self._write("text", event.text)
        if isinstance(event, ReasoningDelta):
            return self._write("reasoning", event.text)
        if isinstance(event, ToolCallDelta):
            return self._call(event)
        if isinstance(event, Source):
            self._sources[event.url] = event.title or self._sources.get(event.url, "")
        elif isinstance(event, Usage):
            self._usage = event
        else:
            self._finish = event.reason
        return []

    def end(self) -> list[Chunk]:
        """Return the chunks that close the step; a model that never finished is an error."""
        if self._finish is None:
            raise ModelError(
                "The provider's answer broke off before it was complete. Try again.",
                kind="truncated",
                retryable=True,
            )
        # Sources come last: one in the middle would cut a paragraph in two.
        chunks = self._start() + self._close_block() + self._note(cited(self._sources))
        for call in self._calls:
            if not call.name:
                chunks += self._open_call(call, "unnamed_tool")
            chunks += self._close_call(call)
        if not self._calls:  # with calls the turn goes on by itself
            chunks += self._note(cut_short(self._finish))
        return chunks

    def result(self) -> StepResult:
        """Return the whole step; call it after `end`."""
        return StepResult(fold(self._whole), self._requests, self._usage, self._finish or "unknown")

    def _start(self) -> list[Chunk]:
        if self._whole:
            return []
        return self._note([{"type": "start-step"}, *self._opening])

    def _note(self, chunks: list[Chunk]) -> list[Chunk]:
        self._whole += chunks
        return chunks

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
        """Join a surrogate pair that was split between deltas; replace what no database can hold."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return clean_text(text)

    def _open_block(self, kind: str) -> list[Chunk]:
        chunks = self._start() + self._close_block()
        self._blocks += 1
        self._kind = kind
        return chunks + self._note([{"type": f"{kind}-start", "id": str(self._blocks)}])

    def _close_block(self) -> list[Chunk]:
        if not self._kind:
            return []
        kind, name = self._kind, str(self._blocks)
        self._whole.append({"type": f"{kind}-delta", "id": name, "delta": "".join(self._pieces)})
        self._kind, self._pieces = "", []
        return self._note([{"type": f"{kind}-end", "id": name}])

    def _call(self, delta: ToolCallDelta) -> list[Chunk]:
        call = self._by_index.get(delta.index)
        if call is None or not call.continues(delta):
            call = self._by_index[delta.index] = _Call(delta.id)
            self._calls.append(call)
        call.given_id = call.given_id or delta.id
        chunks: list[Chunk] = []
        if delta.name and not call.name:
            chunks = self._start() + self._close_block() + self._open_call(call, delta.name)
        if delta.arguments:
            call.arguments.append(delta.arguments)
            if self._show_input and call.name:
                chunks.append(
                    {
                        "type": "tool-input-delta",
                        "toolCallId": call.id,
                        "inputTextDelta": clean_text(delta.arguments),
                    }
                )
        return chunks

    def _open_call(self, call: _Call, name: str) -> list[Chunk]:
        wanted = clean_text(call.given_id or "")
        free = wanted and wanted not in self._taken and wanted not in self._own_ids
        call.id = wanted if free else new_id("call")
        call.name = clean_text(name)
        self._own_ids.add(call.id)
        return self._note([{"type": "tool-input-start", "toolCallId": call.id, "toolName": call.name}])

    def _close_call(self, call: _Call) -> list[Chunk]:
        text, value = _read_arguments("".join(call.arguments))
        self._requests.append(ToolRequest(call.id, call.name, text, len(self._requests)))
        return self._note(
            [
                {
                    "type": "tool-input-available",
                    "toolCallId": call.id,
                    "toolName": call.name,
                    "input": value,
                }
            ]
        )


def _read_arguments(raw: str) -> tuple[str, Any]:
    """Return the arguments' text and their value; the value is the text where it is not JSON.

    A call without arguments arrives as an empty text from some providers: that is an empty object.
    """
    text = clean_text(raw).strip() or "{}"
    try:
        value = json.loads(text)
        clean = clean_json(value)
    except (ValueError, RecursionError, ValidationError):
        return text, text
    # An escape can hide what plain text may not hold.
    return (text, value) if clean == value else (json.dumps(clean, ensure_ascii=False), clean)
