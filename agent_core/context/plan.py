"""Plan the cut of a history that fits, from the newest message backwards.

Only messages that can be sent are counted, so the cost depends on the window, not on the length of the thread.
Counting is synchronous and may be slow, so it runs in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from agent_core.context.cut import Cut, shorten, turns
from agent_core.context.token_meter import TokenMeter
from agent_core.domain.model_adapter import ProviderMessage
from agent_core.errors import ModelError
from agent_core.sentences import sentence

SHORTEST = 200
"""Minimum length of a shortened outcome, in characters."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Budget of a request, in tokens.

    Attributes:
        limit: maximum size of a request.
        target: size to which a history over the limit is cut, so that the next cut is far off.
        fixed: size of the system prompt and the tools.
        room: size reserved for a summary.
        model: name of the model, for the error message.
    """

    limit: int
    target: int
    fixed: int
    room: int
    model: str


@dataclass(frozen=True, slots=True)
class CutPlan:
    """A cut that fits.

    Attributes:
        cut: the cut, still with the summary of the previous cut; "" if there is no room for a summary.
        tokens: estimated tokens of the request, including the room for a summary.
        room: tokens that are available for a summary.
    """

    cut: Cut
    tokens: int
    room: int


def plan_cut(meter: TokenMeter, body: list[ProviderMessage], start: Cut, budget: Budget) -> CutPlan:
    """Return the smallest change to the cut `start` that fits; the result is deterministic.

    If `start` fits, it stays. Otherwise the oldest turns are dropped until the target is reached.
    The newest turn stays; if it is too long by itself, its outcomes are shortened, oldest first,
    so that half of the remaining budget is left for older turns.

    Raises:
        ModelError: nothing fits; kind context_window_exceeded.
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
    return CutPlan(Cut(dropped, kept, start.summary if room else ""), tokens, room)


def clip(meter: TokenMeter, text: str, tokens: int, shortest: int = SHORTEST) -> int:
    """Return the length to which `shorten` must cut a text to fit into some tokens."""
    length = len(text)
    for _ in range(4):
        size = meter.text(shorten(text, length))
        if size <= tokens or length <= shortest:
            return length
        length = max(shortest, int(length * max(tokens, 0) / size * 0.95))
    return shortest


def _shortened(body: list[ProviderMessage], lengths: dict[int, int]) -> list[ProviderMessage]:
    return Cut(shortened=lengths).apply([], body) if lengths else body


def _shorten_outcomes(
    meter: TokenMeter, body: list[ProviderMessage], sent: list[ProviderMessage], begin: int, excess: int
) -> dict[int, int]:
    """Return the new length of outcomes from `begin` on that saves `excess` tokens, by position."""
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
