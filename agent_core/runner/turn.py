"""A turn in memory: what the model was sent, so that its next step need not read it all again.

It is a copy, never the truth. It is used only if the next claim is the very next fence and every
outcome of the last step was committed by this process; otherwise the rows are read.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from agent_core.messages import Part
from agent_core.runner.past import Pasts, provider_step

_KEPT = 512  # turns; the oldest is forgotten


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
    """The turns that run in this process, by thread."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, Turn] = OrderedDict()
        self.pasts = Pasts()

    def keep(self, thread_id: str, turn: Turn) -> None:
        """Remember a turn whose tools are about to run."""
        self._turns[thread_id] = turn
        self._turns.move_to_end(thread_id)
        if len(self._turns) > _KEPT:
            self._turns.popitem(last=False)

    def outcome(self, thread_id: str, call_id: str, fields: Part) -> None:
        """Note the outcome of a call that this process has just committed."""
        turn = self._turns.get(thread_id)
        if turn is None or call_id not in turn.open:
            return
        turn.open.discard(call_id)
        turn.parts = [part | fields if part.get("toolCallId") == call_id else part for part in turn.parts]

    def resume(self, thread_id: str, seq: int) -> tuple[list[dict[str, Any]], set[str]] | None:
        """Return (messages, taken ids) for the step with fence `seq`; None: read the rows."""
        turn = self._turns.pop(thread_id, None)
        if turn is None or turn.seq + 1 != seq or turn.open:
            return None
        return turn.messages + provider_step(turn.parts), turn.taken
