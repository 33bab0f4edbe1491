"""Cache the histories that models were sent, so that the next step or turn need not read a long thread again.

Entries are copies of rows and may be dropped at any time: the oldest ones when the cache is full, unused ones
after some minutes, because other processes do not announce the threads that they delete. An entry is used only
if it proves to be complete; otherwise the rows are read.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from agent_core.context.provider_messages import to_provider
from agent_core.domain.messages import Message, Part, Update
from agent_core.runners.history import History, call_ids_of, size_of

V = TypeVar("V")
_MAX_BYTES = 32 << 20  # of all entries together; the newest alone may be larger
_MAX_AGE = 300.0  # seconds; a thread that is used again later is read from its rows, in some milliseconds
_NEVER = datetime.fromtimestamp(0, UTC)


class _Entry(NamedTuple, Generic[V]):
    value: V
    size: int  # bytes
    kept_at: float  # seconds


class ThreadCache(Generic[V]):
    """Map thread ids to values, bounded in bytes and in age (seconds of `now`); the oldest entry is dropped first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._entries: OrderedDict[str, _Entry[V]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        """Return the number of threads in the cache."""
        return len(self._entries)

    def put(self, thread_id: str, value: V, size: int) -> None:
        """Store a value of about `size` bytes, in place of an earlier one of the thread."""
        self.pop(thread_id)
        now = self._now()
        self._entries[thread_id] = _Entry(value, size, now)
        self._size += size
        while len(self._entries) > 1:
            oldest, entry = next(iter(self._entries.items()))
            if self._size <= _MAX_BYTES and now - entry.kept_at < _MAX_AGE:
                break
            self.pop(oldest)

    def get(self, thread_id: str) -> V | None:
        """Return the value of a thread."""
        entry = self._entries.get(thread_id)
        return None if entry is None else entry.value

    def pop(self, thread_id: str) -> V | None:
        """Return the value of a thread and drop it."""
        entry = self._entries.pop(thread_id, None)
        if entry is None:
            return None
        self._size -= entry.size
        return entry.value

    def grow(self, thread_id: str, size: int) -> None:
        """Count `size` more bytes for the value of a thread."""
        if (entry := self._entries.get(thread_id)) is not None:
            self._entries[thread_id] = entry._replace(size=entry.size + size)
            self._size += size


@dataclass(slots=True)
class OpenTurn:
    """The history up to a committed step that asked for tools.

    Attributes:
        seq: the fence of that step.
        history: the history before it.
        parts: the parts of that step.
        open: the ids of its calls without an outcome here.
    """

    seq: int
    history: History
    parts: list[Part]
    open: set[str]


@dataclass(frozen=True, slots=True)
class EndedTurn:
    """The history up to the end of a turn.

    Everything visible that happens to a thread is a delta behind the cursor at which the turn ended. The entry
    holds if these deltas are only new messages of people and changes of the thread's row.

    Attributes:
        seq: the fence of the turn's last step.
        cursor: the delta with which it ended.
        system: the system prompt that the history begins with.
        history: the history, the last reply included.
    """

    seq: int
    cursor: int
    system: str | None
    history: History

    def followed_by(self, updates: Sequence[Update] | None) -> History | None:
        """Return the history with the messages that `updates` added; None: read the rows.

        Args:
            updates: every delta after the cursor, in order; None: some of them are gone.
        """
        if updates is None:
            return None
        new: list[Message] = []
        for chunk in (chunk for update in updates for chunk in update.chunks):
            if chunk["type"] == "data-message" and chunk["data"]["role"] != "assistant":
                data, meta = chunk["data"], chunk["data"]["metadata"]
                # A queued message comes as a delta again when its turn begins, unless it is withdrawn.
                if not meta.get("queued") and not meta.get("withdrawn"):
                    new.append(_message(data["role"], data["parts"]))
            elif chunk["type"] != "data-thread":
                return None
        return self.history.plus(to_provider(new, None))


class HistoryCache:
    """The histories of the threads that run in this process, or whose last turn ended here."""

    def __init__(self) -> None:
        self.turns: ThreadCache[OpenTurn | EndedTurn] = ThreadCache()

    def put(self, thread_id: str, turn: OpenTurn | EndedTurn) -> None:
        """Store a turn whose tools are about to run, or one that has just ended.

        The parts of an open turn's step are counted when the next step adds them to the history.
        """
        self.turns.put(thread_id, turn, turn.history.size)

    def add_outcome(self, thread_id: str, call_id: str, fields: Part) -> None:
        """Add the outcome of a tool call that this process has just committed."""
        turn = self.turns.get(thread_id)
        if not isinstance(turn, OpenTurn) or call_id not in turn.open:
            return
        turn.open.discard(call_id)
        turn.parts = [part | fields if part.get("toolCallId") == call_id else part for part in turn.parts]
        self.turns.grow(thread_id, size_of(fields))

    def for_step(self, thread_id: str, seq: int) -> History | None:
        """Return the history for the turn's next step, with the fence `seq`; None: read the rows.

        It is complete if `seq` is the very next fence and this process committed every outcome.
        """
        if not isinstance(self.turns.get(thread_id), OpenTurn):
            return None
        turn = self.turns.pop(thread_id)
        if not isinstance(turn, OpenTurn) or turn.seq + 1 != seq or turn.open:
            return None
        return after_step(turn.history, turn.parts)

    def ended_turn(self, thread_id: str, seq: int, system: str | None) -> EndedTurn | None:
        """Return the turn before the one whose first step has the fence `seq`, and drop it."""
        turn = self.turns.pop(thread_id)
        follows = isinstance(turn, EndedTurn) and (turn.seq + 1, turn.system) == (seq, system)
        return turn if isinstance(turn, EndedTurn) and follows else None

    def drop(self, thread_id: str) -> None:
        """Drop the history of a thread that was deleted or stopped."""
        self.turns.pop(thread_id)


def after_step(history: History, parts: list[Part]) -> History:
    """Return a history with the parts of one more model step."""
    return history.plus(to_provider([_message("assistant", parts)], None), call_ids_of(parts))


def _message(role: Any, parts: list[Part]) -> Message:
    return Message(id="", thread_id="", role=role, parts=parts, created_at=_NEVER)
