"""A turn in memory: what the model was sent, so that its next step need not read it all again.

It is a copy, never the truth. It is used only if the next claim is the very next fence and every
outcome of the last step was committed by this process; otherwise the rows are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent_core.domain.messages import Part
from agent_core.runners.requests.thread_cache import Memory, size_of, size_of_messages
from agent_core.runners.requests.turn_history import Past, provider_step


@dataclass(slots=True)
class Turn:
    """The history up to a committed step that asked for tools.

    Attributes:
        seq: the fence of that step.
        messages: what came before it, in the provider's form.
        taken: the ids of every tool call so far.
        parts: the parts of that step.
        open: ids of its calls whose outcome is not known here yet.
    """

    seq: int
    messages: list[dict[str, Any]]
    taken: set[str]
    parts: list[Part]
    open: set[str]


class Turns:
    """What this process remembers of its threads: the turn that runs, or the past that the last one left."""

    def __init__(self) -> None:
        self.known: Memory[Turn | Past] = Memory()

    def keep(self, thread_id: str, known: Turn | Past) -> None:
        """Remember a turn whose tools are about to run, or the past of one that has just ended here."""
        size = size_of_messages(known.messages)
        if isinstance(known, Turn):
            size += size_of(known.parts)
        self.known.keep(thread_id, known, size)

    def outcome(self, thread_id: str, call_id: str, fields: Part) -> None:
        """Note the outcome of a call that this process has just committed."""
        turn = self.known.get(thread_id)
        if not isinstance(turn, Turn) or call_id not in turn.open:
            return
        turn.open.discard(call_id)
        turn.parts = [part | fields if part.get("toolCallId") == call_id else part for part in turn.parts]
        self.known.grow(thread_id, size_of(fields))

    def resume(self, thread_id: str, seq: int) -> tuple[list[dict[str, Any]], set[str]] | None:
        """Return (messages, taken ids) for the step with fence `seq`; None: read the rows."""
        if not isinstance(self.known.get(thread_id), Turn):
            return None
        turn = self.known.take(thread_id)
        if not isinstance(turn, Turn) or turn.seq + 1 != seq or turn.open:
            return None
        return turn.messages + provider_step(turn.parts), turn.taken

    def past(self, thread_id: str, seq: int, system: str | None) -> Past | None:
        """Return the past for the first step of the next turn, with fence `seq`; it is used once."""
        past = self.known.take(thread_id)
        return past if isinstance(past, Past) and (past.seq + 1, past.system) == (seq, system) else None

    def forget(self, thread_id: str) -> None:
        """Forget a thread that was deleted or stopped."""
        self.known.take(thread_id)
