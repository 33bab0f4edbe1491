"""Run one model step as an async generator: the model's events become chunks and, at the end, parts.

It knows neither the database nor the agent. Its caller persists the chunks as they come and commits the
`StepResult` whole; closing the generator closes the model's stream.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_core.domain.messages import Chunk, Part
from agent_core.domain.model_adapter import (
    File,
    Finish,
    HostedCall,
    HostedResult,
    ModelAdapter,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agent_core.domain.turn_options import CLIENT_CALL
from agent_core.domain.validation import clean_json, clean_text
from agent_core.errors import ModelError, ValidationError, words_of
from agent_core.llm.adapter_check import as_model_error, checked_event, open_events, secrets_of
from agent_core.llm.readers.reader import FAILED, PAUSED
from agent_core.llm.readers.think_tags import UNOPENED, TextSlice, ThoughtParser
from agent_core.sentences import sentence
from agent_core.streaming.call_assembly import Call, CallAssembly
from agent_core.streaming.final_parts import cited, cut_short, no_answer
from agent_core.streaming.fold import fold
from agent_core.streaming.text_blocks import TextBlocks
from agent_core.support.ids import new_id
from agent_core.tools.provider_tools import HostedCalls, paused_calls, provider_tool_names

_WITHOUT_WIDTH = " \n\u200b\u200c\u200d\u2060\ufeff"


def _is_not(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool call that the model asks for.

    Attributes:
        id: unique within the thread.
        name: the tool's name as the model wrote it; there may be no such tool.
        arguments: the arguments as the model wrote them; they may not be JSON.
        position: the call's place among those of this step, from 0.
    """

    id: str
    name: str
    arguments: str
    position: int


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of a model step: the parts to commit and the tool calls to run next.

    Attributes:
        parts: the parts.
        tool_requests: the tool calls.
        usage: the tokens of the request, if the provider has reported them.
        finish_reason: for the record; the turn goes on if there are `tool_requests`, because providers send
            tool calls with any reason.
        metadata: the provider's data about the answer, by provider: its id, the model that served it, …
    """

    parts: list[Part]
    tool_requests: list[ToolRequest]
    usage: Usage | None
    finish_reason: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_paused(self) -> bool:
        """Whether the provider paused in the middle of its own tools; the next step lets it continue."""
        return self.finish_reason == PAUSED and not self.tool_requests


async def model_step(
    adapter: ModelAdapter,
    request: ModelRequest,
    *,
    taken_ids: Collection[str] = (),
    include_tool_input_deltas: bool = False,
    opening: Sequence[Chunk] = (),
    is_client_tool: Callable[[str], bool] = _is_not,
) -> AsyncGenerator[Chunk | StepResult]:
    """Request the model once; yield chunks as they arrive and one `StepResult` last.

    The first chunk (`start-step`) comes with the first token, so that the text of a lost attempt stays visible
    until then. `finish-step` is left to the caller that commits the result.

    Args:
        adapter: the model.
        request: the request.
        taken_ids: ids of the thread's earlier tool calls; a call that repeats one gets a fresh id.
        include_tool_input_deltas: whether to yield the arguments of calls while the model writes them.
        opening: data chunks with which the step begins; they come with the first token, too.
        is_client_tool: whether a name, as the model writes it, is that of a tool of the turn's caller; its calls get
            ids of our own.

    Raises:
        ModelError: the request failed, its stream ended before the answer was complete, or the answer was
            empty.
    """
    after_tool = bool(request.messages) and request.messages[-1].get("role") == "tool"
    hosted = provider_tool_names(request.provider_tools)
    paused = paused_calls(request.messages)
    step = _Step(adapter.name, taken_ids, include_tool_input_deltas, opening, after_tool, hosted, paused)
    step.is_client_tool = is_client_tool
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
    """Close the provider's stream now; the garbage collector would let it run on."""
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()


class _Step:
    """The state of one step: its blocks, its tool calls, its usage and its end.

    Args:
        model: the name of the model.
        taken_ids, include_tool_input_deltas, opening: see `model_step`.
        after_tool: whether the request ends with a tool's outcome; the answer may be empty then.
        hosted: names of the tools that the provider runs itself.
        paused: calls of such tools that the step before has left open.
    """

    def __init__(
        self,
        model: str,
        taken_ids: Collection[str],
        include_tool_input_deltas: bool,
        opening: Sequence[Chunk],
        after_tool: bool,
        hosted: Collection[str] = (),
        paused: Mapping[str, Chunk] | None = None,
    ) -> None:
        self._blocks = TextBlocks(model, opening)
        self._hosted = HostedCalls(hosted, self._blocks.signature, paused)
        self._taken = taken_ids
        self._after_tool = after_tool
        self._own_ids: set[str] = set()
        self._show_input = include_tool_input_deltas
        self._thoughts = ThoughtParser()
        self._has_content = False  # text that is not blank, or a file
        self._assembly = CallAssembly()
        self._ids: dict[Call, str] = {}  # of the calls that readers have seen begin
        self._requests: list[ToolRequest] = []
        self._sources: dict[str, str] = {}  # titles by URL, in order
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self.is_client_tool: Callable[[str], bool] = _is_not

    @property
    def usage(self) -> Usage | None:
        """The tokens of the request, as far as the provider has reported them."""
        return self._usage

    def take(self, event: ModelEvent) -> list[Chunk]:
        """Return the chunks of an event."""
        if isinstance(event, TextDelta):
            return self._text(event)
        if isinstance(event, ReasoningDelta):
            held = self._write_all(self._thoughts.rule_out()) if event.text or event.metadata else []
            return held + self._blocks.write("reasoning", event.text) + self._blocks.sign("reasoning", event)
        if isinstance(event, ToolCallDelta):
            pieces = self._assembly.divide(event)
            return self._end_text() + [chunk for piece in pieces for chunk in self._call(piece)]
        if isinstance(event, HostedCall | HostedResult):
            return self._end_text() + self._host(event)
        if isinstance(event, File):
            return self._end_text() + self._file(event)
        if isinstance(event, Source):
            self._sources[event.url] = event.title or self._sources.get(event.url, "")
        elif isinstance(event, Usage):
            self._usage = event
        else:
            self._finish = event
        return []

    def end(self) -> list[Chunk]:
        """Return the chunks that end the step.

        Raises:
            ModelError: the answer is incomplete or empty; retryable.
        """
        if self._finish is None:
            raise ModelError(sentence("answer_incomplete"), kind="truncated", retryable=True)
        text = self._end_text()
        notes = self._notes(self._finish)
        # Sources come last: one in the middle would cut a paragraph in two.
        chunks = text + self._blocks.close() + self._blocks.add(cited(self._sources))
        for call in self._assembly.calls:
            if call not in self._ids:
                chunks += self._open_call(call, call.name or "unnamed_tool")
            chunks += self._close_call(call)
        for kept, shown in self._hosted.unanswered(paused=self._finish.reason == PAUSED):
            self._blocks.chunks += kept
            chunks += self._blocks.add(shown)
        return chunks + self._blocks.add(notes)

    def _notes(self, finish: Finish) -> list[Chunk]:
        """Return the notes at the end of an answer that is cut short or empty; none if it asks for tools.

        An empty answer is an error, except after a tool's outcome, when the model may have nothing to add.
        """
        if finish.reason in FAILED:
            raise no_answer(finish)
        asks = any(not self._hosted.runs(call.given_id, call.name) for call in self._assembly.calls)
        if finish.reason == PAUSED and (self._hosted or self._has_content or self._blocks.kind):
            return []
        if asks or self._has_content:
            return [] if asks else cut_short(finish.reason)
        if self._hosted or self._assembly.calls:
            return cut_short(finish.reason, silent=True)
        if not (notes := cut_short(finish.reason, silent=self._after_tool)):
            raise no_answer(finish)
        return notes

    def result(self) -> StepResult:
        """Return the whole step; call it after `end`."""
        finish = self._finish or Finish("unknown")
        metadata = clean_json(finish.metadata or {})
        return StepResult(fold(self._blocks.chunks), self._requests, self._usage, finish.reason, metadata)

    def _text(self, event: TextDelta) -> list[Chunk]:
        if self._thoughts.over:
            return self._write("text", event.text) + self._blocks.sign("text", event)
        chunks = self._write_all(self._thoughts.feed(event.text))
        held = self._write_all(self._thoughts.rule_out()) if event.metadata else []
        return chunks + held + self._blocks.sign("text", event)

    def _end_text(self) -> list[Chunk]:
        """Return the chunks of text that was held back because it might have been reasoning."""
        return [] if self._thoughts.over else self._write_all(self._thoughts.end())

    def _write_all(self, pieces: Sequence[TextSlice]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for kind, text in pieces:
            chunks += self._to_reasoning(text) if kind == UNOPENED else self._write(kind, text)
        return chunks

    def _to_reasoning(self, text: str) -> list[Chunk]:
        """Take back all text so far and write it as reasoning: its closing tag has come."""
        self._has_content = False
        return self._blocks.restart() + self._blocks.write("reasoning", text) + self._blocks.close()

    def _write(self, kind: str, text: str) -> list[Chunk]:
        self._has_content = self._has_content or (kind == "text" and not _is_blank(text))
        return self._blocks.write(kind, text)

    def _call(self, delta: ToolCallDelta) -> list[Chunk]:
        call = self._assembly.take(delta)
        chunks: list[Chunk] = []
        if call not in self._ids and call.name:
            chunks = self._blocks.close() + self._open_call(call, call.name)
        hosted = self._hosted.runs(call.given_id, call.name)
        if delta.arguments and self._show_input and call in self._ids and not hosted:
            written = clean_text(delta.arguments)
            chunks.append(
                {"type": "tool-input-delta", "toolCallId": self._ids[call], "inputTextDelta": written}
            )
        return chunks

    def _open_call(self, call: Call, name: str) -> list[Chunk]:
        id = new_id(CLIENT_CALL) if self.is_client_tool(name) else self._free_id(call.given_id or "")
        self._ids[call] = id
        call.name = clean_text(name)
        if self._hosted.runs(call.given_id, name):
            return []  # it is shown once its arguments are complete
        head = {"type": "tool-input-start", "toolCallId": id, "toolName": call.name}
        return self._blocks.add([head | self._blocks.signature(call.metadata)])

    def _free_id(self, wanted: str) -> str:
        id = clean_text(wanted)
        if not id or id in self._taken or id in self._own_ids:
            id = new_id("call")
        self._own_ids.add(id)
        return id

    def _host(self, event: HostedCall | HostedResult) -> list[Chunk]:
        if isinstance(event, HostedCall):
            return self._blocks.close() + self._blocks.add(self._hosted.call(event, self._free_id))
        kept, shown = self._hosted.result(event)
        self._blocks.chunks += kept
        return self._blocks.add(shown)

    def _file(self, event: File) -> list[Chunk]:
        self._has_content = True
        url = event.data if ":" in event.data else f"data:{event.media_type};base64,{event.data}"
        chunk = {"type": "file", "mediaType": clean_text(event.media_type), "url": clean_text(url)}
        signature = self._blocks.signature(event.metadata or {})
        return self._blocks.close() + self._blocks.add([chunk | signature])

    def _close_call(self, call: Call) -> list[Chunk]:
        text, value = _read_arguments(call.text)
        id = self._ids[call]
        if self._hosted.runs(call.given_id, call.name):
            return self._blocks.add(self._hosted.call(HostedCall(id, call.name, value), lambda known: known))
        self._requests.append(ToolRequest(id, call.name, text, len(self._requests)))
        head = {"type": "tool-input-available", "toolCallId": id, "toolName": call.name, "input": value}
        return self._blocks.add([head | self._blocks.signature(call.metadata)])


def _is_blank(text: str) -> bool:
    """Return whether a text has only whitespace and zero-width characters."""
    return not text.strip(_WITHOUT_WIDTH).strip()


def _read_arguments(raw: str) -> tuple[str, Any]:
    """Return the arguments as text and as a value; the value of text that is not JSON is the text.

    Some providers send an empty text for a call without arguments: that is an empty object.
    """
    text = clean_text(raw).strip() or "{}"
    try:
        value = json.loads(text)
        clean = clean_json(value)
    except (ValueError, RecursionError, ValidationError):
        return text, text
    # An escape can hide a character that the database cannot hold.
    return (text, value) if clean == value else (json.dumps(clean, ensure_ascii=False), clean)
