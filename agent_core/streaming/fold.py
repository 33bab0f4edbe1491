"""Fold the chunks of a stream into parts, the same way for every reader.

`agent_core.streaming.part_reducer` has the rules for one chunk. This module folds whole streams, unfolds parts
into chunks, and applies the updates of `subscribe` to a `ThreadView`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from agent_core.domain.end_reasons import DENIED, END_REASON, ERROR_INFO, End
from agent_core.domain.messages import OPEN_TOOL_STATES, TOOL_PREFIX, Chunk, Part, Update, tool_name
from agent_core.sentences import info_of
from agent_core.streaming.part_reducer import PartReducer, extras

_DELTA_TEXT = {"text-delta": "delta", "reasoning-delta": "delta", "tool-input-delta": "inputTextDelta"}
ABOUT_CALLS = frozenset(
    {
        "tool-approval-request",
        "tool-approval-response",
        "tool-output-available",
        "tool-output-error",
        "tool-output-denied",
    }
)
"""Types of chunks that may follow the commit of their step; the call's id identifies their part."""


def fold(chunks: Iterable[Chunk], parts: Sequence[Part] = ()) -> list[Part]:
    """Return `parts` with `chunks` applied in order; neither argument is changed."""
    folder = PartReducer(parts)
    folder.extend(chunks)
    return folder.parts


def unfold(parts: Sequence[Part]) -> list[Chunk]:
    """Return the shortest list of chunks that folds to `parts`; `parts` must be the result of a fold."""
    chunks: list[Chunk] = []
    for number, part in enumerate(parts):
        kind = str(part.get("type", ""))
        if kind in ("text", "reasoning"):
            chunks += _unfold_text(kind, part, str(number))
        elif kind.startswith(TOOL_PREFIX):
            chunks += _unfold_call(part)
        else:
            chunks.append({"type": "start-step"} if kind == "step-start" else dict(part))
    return chunks


def merge(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Return an equivalent stream with adjacent deltas of one id joined."""
    merged: list[Chunk] = []
    texts: list[str] = []
    before: tuple[Any, ...] | None = None
    for chunk in chunks:
        kind = chunk.get("type")
        field = _DELTA_TEXT.get(kind) if isinstance(kind, str) else None
        if field is None or not isinstance(chunk.get(field), str):
            _join(merged, texts, before)
            before = None
            merged.append(chunk)
            continue
        key = (kind, field, str(chunk.get("id")), str(chunk.get("toolCallId")))
        if key != before:
            _join(merged, texts, before)
            before = key
            merged.append(chunk)
        texts.append(chunk[field])
    _join(merged, texts, before)
    return merged


def kept(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Return the chunks of one step without those that were reset by a `reset-step`."""
    resets = [place for place, chunk in enumerate(chunks) if chunk.get("type") == "reset-step"]
    if not resets:
        return list(chunks)
    begun = [chunk for chunk in chunks[: resets[0]] if chunk.get("type") == "start-step"]
    return [*begun, *chunks[resets[-1] + 1 :]]


def closing(parts: Sequence[Part], end: End) -> list[Chunk]:
    """Return the chunks that close the open `parts` of an attempt that was cut off.

    Open text and reasoning end; each tool call without an outcome gets `end` as its error.
    """
    chunks: list[Chunk] = []
    for number, part in enumerate(parts):
        kind = str(part.get("type", ""))
        if kind in ("text", "reasoning") and part.get("state") == "streaming":
            chunks.append({"type": f"{kind}-end", "id": str(number)})
        elif kind.startswith(TOOL_PREFIX) and part.get("state") in OPEN_TOOL_STATES:
            chunks.append(error_chunk(part.get("toolCallId"), end))
    return chunks


def error_chunk(call_id: object, end: End) -> Chunk:
    """Return the chunk of a tool call's error, with its end reason and error info for `ThreadView`."""
    chunk = {"type": "tool-output-error", "toolCallId": call_id, "errorText": end.text}
    info = info_of(end.text)
    return chunk | {END_REASON: end.reason.value} | ({ERROR_INFO: info} if info else {})


def settle(parts: Sequence[Part], end: End) -> list[Part]:
    """Return the parts of a cut-off attempt, closed, with `end` as the error of open calls."""
    return fold(closing(parts, end), parts)


def _join(merged: list[Chunk], texts: list[str], key: tuple[Any, ...] | None) -> None:
    """Put the joined texts of a run of deltas into the newest of `merged`."""
    if key is not None and len(texts) > 1:
        merged[-1] = {**merged[-1], key[1]: "".join(texts)}
    texts.clear()


def _unfold_text(kind: str, part: Part, name: str) -> list[Chunk]:
    chunks: list[Chunk] = [{"type": f"{kind}-start", "id": name, **extras(part)}]
    if text := part.get("text"):
        chunks.append({"type": f"{kind}-delta", "id": name, "delta": text})
    if part.get("state") != "streaming":
        chunks.append({"type": f"{kind}-end", "id": name})
    return chunks


def _unfold_call(part: Part) -> list[Chunk]:
    call = {"toolCallId": part.get("toolCallId")}
    head = {**call, "toolName": tool_name(part), **extras(part)}
    raw, state, approval = part.get("rawInput"), part.get("state"), part.get("approval")
    if state == "output-error" and "rawInput" in part and not (approval and isinstance(raw, str)):
        return [{"type": "tool-input-error", **head, "input": raw, "errorText": part.get("errorText")}]
    if "input" in part:
        chunks: list[Chunk] = [{"type": "tool-input-available", **head, "input": part["input"]}]
    else:
        chunks = [{"type": "tool-input-start", **head}]
        if "rawInput" in part:
            chunks.append({"type": "tool-input-delta", **call, "inputTextDelta": raw})
    if approval:
        chunks += _unfold_approval(call, approval, denied=state == "output-denied")
    if state == "output-available":
        preliminary = {"preliminary": True} if part.get("preliminary") else {}
        chunks.append({"type": "tool-output-available", **call, "output": part.get("output"), **preliminary})
    elif state == "output-error":
        chunks.append({"type": "tool-output-error", **call, "errorText": part.get("errorText")})
    return chunks


def _unfold_approval(call: Chunk, approval: dict[str, Any], *, denied: bool) -> list[Chunk]:
    reason = {"reason": approval["reason"]} if "reason" in approval else {}
    chunks: list[Chunk] = []
    if "id" in approval:
        chunks.append({"type": "tool-approval-request", **call, "approvalId": approval["id"]})
    if denied:
        chunks.append({"type": "tool-output-denied", **call, **reason})
    elif "approved" in approval:
        answer = {"approvalId": approval["id"], "approved": approval["approved"], **reason}
        chunks.append({"type": "tool-approval-response", **call, **answer})
    return chunks


class ThreadView:
    """View of a thread for its subscribers: the reference reader of `Runtime.subscribe`.

    A message has its committed parts, followed by the live parts of the newest model step.
    `finish-step` commits the live parts. A chunk of a newer step replaces live parts that were
    not committed: the text of a lost attempt stays until the next attempt's first chunk.

    Attributes:
        thread: the thread as plain JSON; {} before the first snapshot and after deletion.
        progress: the latest progress of running tools, by tool call id.
        runs: the running tool calls (status, attempt, started_at), by tool call id.
        cursor: the cursor of the newest applied update.
        deleted: whether the thread was deleted.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.thread: dict[str, Any] = {}
        self.progress: dict[str, Any] = {}
        self.runs: dict[str, Any] = {}
        self.cursor = 0
        self.deleted = False
        self._entries: dict[str, _Entry] = {}

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as plain JSON, in order, live parts included; queued ones come last."""
        shown = [entry.to_dict() for entry in self._entries.values()]
        return sorted(shown, key=lambda message: bool(message["metadata"].get("queued")))

    def apply(self, update: Update) -> None:
        """Apply one update."""
        if update.type != "chunks":
            self._reset()
            self.deleted = update.type == "deleted"
            self.thread = update.thread.to_dict() if update.thread else {}
            for message in update.messages:
                self._entries[message.id] = _Entry(message.to_dict())
        self.cursor = update.cursor
        for chunk in update.chunks:
            self._chunk(chunk, update.seq, update.message_id)

    def _chunk(self, chunk: Chunk, seq: int, message_id: str | None) -> None:
        kind, data = chunk.get("type"), chunk.get("data")
        if kind == "data-thread" and isinstance(data, dict):
            self.thread |= data
        elif kind == "data-message" and isinstance(data, dict):
            message = cast("dict[str, Any]", data)
            name = str(message.get("id"))
            self._entries.pop(name, None)  # a queued message moves to its place when its turn starts
            about: dict[str, Any] = message.get("metadata") or {}
            if not about.get("withdrawn"):
                self._entries[name] = _Entry(message)
        elif kind == "data-tool-progress":
            self.progress[str(chunk.get("id"))] = data
        elif kind == "data-tool-run":
            self.runs[str(chunk.get("id"))] = data
        elif kind in ABOUT_CALLS:
            self._about_call(chunk, message_id)
        elif message_id is not None:
            self._entry(message_id).add(chunk, seq)

    def _entry(self, message_id: str) -> _Entry:
        if message_id not in self._entries:
            message = {"id": message_id, "thread_id": self.thread.get("id"), "role": "assistant"}
            self._entries[message_id] = _Entry(message)
        return self._entries[message_id]

    def _about_call(self, chunk: Chunk, message_id: str | None) -> None:
        known = self._entries.get(message_id) if message_id else None
        for entry in [known] if known else self._entries.values():
            entry.about_call(chunk)
        call_id = str(chunk.get("toolCallId"))
        self.progress.pop(call_id, None)
        self.runs.pop(call_id, None)


class _Entry:
    """One message of a view: its committed and its live parts."""

    def __init__(self, message: dict[str, Any]) -> None:
        self._message = message
        self._reasons: dict[str, str] = dict(message.get("end_reasons") or {})
        self._info: dict[str, Any] = dict(message.get("error_info") or {})
        self._committed = PartReducer(message.get("parts") or ())
        self._committed_seq = int(message.get("committed_seq") or 0)
        self._live = PartReducer()
        self._live_seq = 0
        self._shown: dict[str, Any] | None = None

    def add(self, chunk: Chunk, seq: int) -> None:
        """Apply a chunk of the model step `seq`; chunks of older steps are ignored."""
        if chunk.get("type") == "tool-input-available" and 0 < seq <= self._committed_seq:
            self._shown = None
            self._committed.add(chunk)  # a person edited the arguments with the approval
        if seq <= self._committed_seq or seq < self._live_seq:
            return
        if seq > self._live_seq:
            self._live, self._live_seq = PartReducer(), seq
        self._shown = None
        self._note_end(chunk)
        self._live.add(chunk)
        if chunk.get("type") == "finish-step":
            self._committed = PartReducer([*self._committed.parts, *self._live.parts])
            self._live, self._committed_seq = PartReducer(), seq

    def about_call(self, chunk: Chunk) -> None:
        """Apply a chunk about a tool call anywhere in the message."""
        self._shown = None
        self._note_end(chunk)
        self._committed.add(chunk)
        self._live.add(chunk)

    def _note_end(self, chunk: Chunk) -> None:
        denied = chunk.get("type") == "tool-output-denied"
        if (reason := chunk.get(END_REASON, DENIED.reason if denied else None)) is not None:
            self._reasons.setdefault(str(chunk.get("toolCallId")), str(reason))
        ours = info_of(DENIED.text) if denied and "reason" not in chunk else None
        if (info := chunk.get(ERROR_INFO, ours)) is not None:
            self._info.setdefault(str(chunk.get("toolCallId")), info)

    def to_dict(self) -> dict[str, Any]:
        if self._shown is None:
            parts = [*self._committed.parts, *self._live.parts]
            self._shown = {"metadata": {}, **self._message, "parts": parts}
            self._shown["committed_seq"] = self._committed_seq
            calls = [part["toolCallId"] for part in parts if "toolCallId" in part]
            for key, known in (("end_reasons", self._reasons), ("error_info", self._info)):
                if found := {call: known[call] for call in calls if call in known}:
                    self._shown[key] = found
        return self._shown
