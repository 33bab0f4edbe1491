"""Reduce the chunks of a stream to parts, one chunk at a time.

The rules are those of the AI SDK's own reader (`processUIMessageStream` in the npm package `ai`,
6.0.326; `tool-approval-response` and `reset-step` from 7.0), made total: chunks of a broken or hostile stream,
in any order, never raise. A delta without a start opens its part; a chunk of an unknown type, or for an unknown
tool call, is ignored; the first outcome of a call stays. An outcome goes to the newest open call with its id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import ClassVar

from agent_core.domain.messages import OPEN_TOOL_STATES, TOOL_PREFIX, Chunk, Part, is_tool_part

_TRANSIENT = frozenset({"data-thread", "data-message", "data-tool-progress", "data-tool-run"})
"""Types of data chunks for subscribers that leave nothing in the message."""

_EXTRAS = ("title", "providerExecuted", "providerMetadata", "toolMetadata")
"""Optional keys that are copied from the opening chunk to its part."""


def extras(source: Part) -> Part:
    """Return the items of `_EXTRAS` in a chunk or part."""
    return {key: source[key] for key in _EXTRAS if source.get(key) is not None}


def _metadata(chunk: Chunk) -> Part:
    """Return the metadata of a chunk, which replaces that of its part."""
    metadata = chunk.get("providerMetadata")
    return {} if metadata is None else {"providerMetadata": metadata}


def _answered(approval: Part, chunk: Chunk, *, approved: bool) -> Part:
    reason = chunk.get("reason")
    return {**approval, "approved": approved, **({} if reason is None else {"reason": str(reason)})}


class PartReducer:
    """Reducer from chunks to parts. `agent_core.streaming.fold.fold` applies it to a whole stream."""

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self._parts: list[Part] = [dict(part) for part in parts]
        self._open: dict[str, int] = {}  # "text:<id>" -> place of the part it streams into
        self._texts: dict[int, list[str]] = {}  # fragments not yet joined, by place
        self._calls: dict[str, int] = {}  # toolCallId -> place of its newest part
        self._step = 0  # where the current step begins
        for place, part in enumerate(self._parts):
            self._index(place, part)

    @property
    def parts(self) -> list[Part]:
        """The parts so far; a new list at each call."""
        for place, texts in self._texts.items():
            part = self._parts[place]
            field = "text" if part["type"] in ("text", "reasoning") else "rawInput"
            part[field] = "".join([str(part.get(field) or ""), *texts])
        self._texts.clear()
        return [dict(part) for part in self._parts]

    def extend(self, chunks: Iterable[Chunk]) -> None:
        """Apply chunks in order."""
        for chunk in chunks:
            self.add(chunk)

    def add(self, chunk: Chunk) -> None:
        """Apply one chunk."""
        kind = chunk.get("type")
        if not isinstance(kind, str):
            return
        if handler := self._handlers.get(kind):
            handler(self, chunk)
        elif kind.startswith("data-"):
            self._data(kind, chunk)

    def _append(self, part: Part) -> int:
        self._parts.append(part)
        place = len(self._parts) - 1
        self._index(place, part)
        return place

    def _index(self, place: int, part: Part) -> None:
        kind = part.get("type")
        if kind == "step-start":
            self._step = place
        elif isinstance(kind, str) and kind.startswith(TOOL_PREFIX):
            self._calls[str(part.get("toolCallId"))] = place

    # Text and reasoning

    def _text_start(self, chunk: Chunk) -> None:
        kind = chunk["type"].removesuffix("-start")
        part = {**extras(chunk), "type": kind, "text": "", "state": "streaming"}
        self._open[f"{kind}:{chunk.get('id')}"] = self._append(part)

    def _text_delta(self, chunk: Chunk) -> None:
        kind = chunk["type"].removesuffix("-delta")
        key = f"{kind}:{chunk.get('id')}"
        place = self._open.get(key)
        if place is None:  # given parts have no ids: continue the open part of the step
            place = self._open[key] = self._unclaimed(kind)
        if isinstance(delta := chunk.get("delta"), str):
            self._texts.setdefault(place, []).append(delta)
        self._parts[place] |= _metadata(chunk)

    def _text_end(self, chunk: Chunk) -> None:
        kind = chunk["type"].removesuffix("-end")
        place = self._open.pop(f"{kind}:{chunk.get('id')}", None)
        if place is None:
            place = next(self._streaming(kind, 0), None)
        if place is not None:
            self._parts[place] |= {"state": "done", **_metadata(chunk)}
            self._open = {key: other for key, other in self._open.items() if other != place}

    def _streaming(self, kind: str, start: int) -> Iterator[int]:
        for place in range(start, len(self._parts)):
            part = self._parts[place]
            if part.get("type") == kind and part.get("state") == "streaming":
                yield place

    def _unclaimed(self, kind: str) -> int:
        """Return the place of the step's first open part without an id; of a new part if there is none."""
        claimed = set(self._open.values())
        places = (place for place in self._streaming(kind, self._step) if place not in claimed)
        found = next(places, None)
        return self._append({"type": kind, "text": "", "state": "streaming"}) if found is None else found

    # Tool calls

    def _input_start(self, chunk: Chunk) -> None:
        self._set_input(chunk, {"state": "input-streaming"})

    def _input_delta(self, chunk: Chunk) -> None:
        place = self._calls.get(str(chunk.get("toolCallId")))
        if place is None or self._parts[place].get("state") != "input-streaming":
            return
        if isinstance(delta := chunk.get("inputTextDelta"), str):
            self._texts.setdefault(place, []).append(delta)

    def _input_available(self, chunk: Chunk) -> None:
        self._set_input(chunk, {"state": "input-available", "input": chunk.get("input")})

    def _input_error(self, chunk: Chunk) -> None:
        error = str(chunk.get("errorText") or "")
        self._set_input(chunk, {"state": "output-error", "rawInput": chunk.get("input"), "errorText": error})

    def _set_input(self, chunk: Chunk, values: Part) -> None:
        call_id = str(chunk.get("toolCallId"))
        head = {"type": f"{TOOL_PREFIX}{chunk.get('toolName') or 'unknown'}", "toolCallId": call_id}
        part = {**extras(chunk), **head, **values}
        place = self._calls.get(call_id)
        if place is None or place < self._step:
            self._append(part)
        elif self._parts[place].get("state") in OPEN_TOOL_STATES:
            self._texts.pop(place, None)
            self._parts[place] = {**extras(self._parts[place]), **part}

    def _approval_request(self, chunk: Chunk) -> None:
        if part := self._call(chunk, OPEN_TOOL_STATES):
            part["state"] = "approval-requested"
            part["approval"] = {"id": str(chunk.get("approvalId"))}

    def _approval_response(self, chunk: Chunk) -> None:
        approval_id = str(chunk.get("approvalId"))
        for part in reversed(self._parts):
            approval = part.get("approval")
            if approval and approval.get("id") == approval_id and part.get("state") == "approval-requested":
                part["state"] = "approval-responded"
                part["approval"] = _answered(approval, chunk, approved=chunk.get("approved") is True)
                return

    def _output_available(self, chunk: Chunk) -> None:
        preliminary = {"preliminary": True} if chunk.get("preliminary") is True else {}
        self._end_call(chunk, {"state": "output-available", "output": chunk.get("output"), **preliminary})

    def _output_error(self, chunk: Chunk) -> None:
        error = str(chunk.get("errorText") or "")
        self._end_call(chunk, {"state": "output-error", "errorText": error})

    def _output_denied(self, chunk: Chunk) -> None:
        if part := self._end_call(chunk, {"state": "output-denied"}):
            part["approval"] = _answered(part.get("approval") or {}, chunk, approved=False)

    def _end_call(self, chunk: Chunk, outcome: Part) -> Part | None:
        """Write the outcome, unless the call already has a final one."""
        part = self._call(chunk, OPEN_TOOL_STATES) or self._call(chunk, ("output-available",))
        if part is None or (part["state"] == "output-available" and not part.get("preliminary")):
            part = self._left_open(chunk)
        if part is None:
            return None
        part.pop("output", None)
        part.pop("preliminary", None)
        part |= outcome
        return part

    def _call(self, chunk: Chunk, states: Collection[str]) -> Part | None:
        place = self._calls.get(str(chunk.get("toolCallId")))
        return self._parts[place] if place is not None and self._parts[place].get("state") in states else None

    def _left_open(self, chunk: Chunk) -> Part | None:
        """Return the newest open call of an earlier step whose id a later one has used again."""
        call_id = str(chunk.get("toolCallId"))
        calls = self._parts[: self._calls.get(call_id, 0)]
        named = (part for part in reversed(calls) if str(part.get("toolCallId")) == call_id)
        return next(
            (part for part in named if is_tool_part(part) and part["state"] in OPEN_TOOL_STATES), None
        )

    # Steps, files, sources and data

    def _step_start(self, chunk: Chunk) -> None:
        self._append({"type": "step-start"})

    def _step_finish(self, chunk: Chunk) -> None:
        self._open.clear()
        for part in self._parts[self._step :]:
            if part.get("type") in ("text", "reasoning"):
                part["state"] = "done"

    def _step_reset(self, chunk: Chunk) -> None:
        begun = any(part.get("type") == "step-start" for part in self._parts[self._step : self._step + 1])
        end = self._step + begun
        del self._parts[end:]
        self._open.clear()
        self._texts = {place: texts for place, texts in self._texts.items() if place < end}
        self._calls = {name: place for name, place in self._calls.items() if place < end}

    def _whole(self, chunk: Chunk) -> None:
        self._append(dict(chunk))

    def _data(self, kind: str, chunk: Chunk) -> None:
        if kind in _TRANSIENT or chunk.get("transient"):
            return
        name = chunk.get("id")
        if name is not None:
            for part in self._parts:
                if part.get("type") == kind and part.get("id") == name:
                    part["data"] = chunk.get("data")
                    return
        self._append(dict(chunk))

    _handlers: ClassVar[dict[str, Callable[[PartReducer, Chunk], None]]] = {
        "text-start": _text_start,
        "text-delta": _text_delta,
        "text-end": _text_end,
        "reasoning-start": _text_start,
        "reasoning-delta": _text_delta,
        "reasoning-end": _text_end,
        "tool-input-start": _input_start,
        "tool-input-delta": _input_delta,
        "tool-input-available": _input_available,
        "tool-input-error": _input_error,
        "tool-approval-request": _approval_request,
        "tool-approval-response": _approval_response,
        "tool-output-available": _output_available,
        "tool-output-error": _output_error,
        "tool-output-denied": _output_denied,
        "start-step": _step_start,
        "finish-step": _step_finish,
        "reset-step": _step_reset,
        "source-url": _whole,
        "source-document": _whole,
        "file": _whole,
    }


Fold = PartReducer
"""Old name of `PartReducer`, until the next release."""
