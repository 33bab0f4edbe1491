"""The plan: how far a history must be cut to fit, worked out from the newest message backwards.

Only what can be sent is counted, so a thread of any length costs what its window costs. Counting may
take a moment and has no awaits: it is run in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from agent_core.context.cut import Cut, shorten, turns
from agent_core.context.provider_messages import Provider
from agent_core.context.token_meter import Meter
from agent_core.errors import ModelError
from agent_core.sentences import sentence

SHORTEST = 200
"""Characters that are left of an outcome at least."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be sent, in tokens.

    Attributes:
        limit: the most that the model takes.
        target: what a history is cut to once it is over the limit, so that the next cut is far off.
        fixed: what the system prompt and the tools take.
        room: what is kept for a summary.
        model: whose limit it is, for the sentence.
    """

    limit: int
    target: int
    fixed: int
    room: int
    model: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A cut that fits.

    Attributes:
        cut: its summary is still the one of the cut before; "" if there is no room for one.
        tokens: about how many tokens are sent, the room for a summary included.
        room: what is left of the budget's room for a summary.
    """

    cut: Cut
    tokens: int
    room: int


def plan(meter: Meter, body: list[Provider], start: Cut, budget: Budget) -> Plan:
    """Return the smallest change to the cut `start` that fits; the same input gives the same plan.

    If all that `start` sends fits, it stays. Otherwise the oldest turns go until the target is reached.
    The newest turn stays; where it is too long by itself, its outcomes are shortened, the oldest first,
    so far that half of what is left goes to older turns.

    Raises:
        ModelError: context_window_exceeded; even so it does not fit.
    """
    starts = sorted({start.dropped, *(place for place in turns(body) if place >= start.dropped)})
    last, room, shortened = starts[-1], budget.room, start.shortened
    sent = _shortened(body, shortened)
    used = budget.fixed + room + sum(meter.message(message) for message in sent[last:])
    if used > budget.limit:
        spare = (budget.target - budget.fixed - room) // 2 if last > start.dropped else 0
        shorter = _shorten_outcomes(meter, body, sent, last, used - budget.target + max(spare, 0))
        shortened = {**shortened, **shorter}
        sent = _shortened(body, shortened)
        used = budget.fixed + room + sum(meter.message(message) for message in sent[last:])
    if used > budget.limit:
        used, room = used - room, 0
    if used > budget.limit:
        raise _too_long(used, budget)
    dropped, tokens = last, used
    for begin, end in reversed(list(pairwise(starts))):
        used += sum(meter.message(message) for message in sent[begin:end])
        if used > budget.limit:
            break
        if used <= budget.target or begin == start.dropped:
            dropped, tokens = begin, used
    kept = {place: length for place, length in shortened.items() if place >= dropped}
    return Plan(Cut(dropped, kept, start.summary if room else ""), tokens, room)


def clip(meter: Meter, text: str, tokens: int, shortest: int = SHORTEST) -> int:
    """Return how many characters of a text are so many tokens, once `shorten` has left out the rest."""
    length = len(text)
    for _ in range(4):
        size = meter.text(shorten(text, length))
        if size <= tokens or length <= shortest:
            return length
        length = max(shortest, int(length * max(tokens, 0) / size * 0.95))
    return shortest


def _shortened(body: list[Provider], lengths: dict[int, int]) -> list[Provider]:
    return Cut(shortened=lengths).apply([], body) if lengths else body


def _shorten_outcomes(
    meter: Meter, body: list[Provider], sent: list[Provider], begin: int, excess: int
) -> dict[int, int]:
    """Return to how many characters each outcome from `begin` on must shrink to save `excess` tokens."""
    lengths: dict[int, int] = {}
    for place in range(begin, len(body)):
        text, now = body[place].get("content"), sent[place].get("content")
        if excess <= 0:
            break
        if body[place].get("role") != "tool" or not isinstance(text, str) or not isinstance(now, str):
            continue
        size = meter.text(now)
        length = clip(meter, text, size - excess)
        saved = size - meter.text(shorten(text, length))
        if saved > 0:
            lengths[place] = length
            excess -= saved
    return lengths


def _too_long(needed: int, budget: Budget) -> ModelError:
    code = "prompt_exceeds_window" if budget.fixed > budget.limit else "message_exceeds_window"
    words = sentence(code, needed=needed, model=budget.model, limit=budget.limit)
    return ModelError(words, kind="context_window_exceeded")
