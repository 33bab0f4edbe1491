"""Fitting: the part that all our policies share, from the request to what is sent and noted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from agent_core.context.cut import NOTHING, Cut, read, split, still_holds, summary_message
from agent_core.context.plan import Budget, Plan, plan
from agent_core.context.policy import ContextRequest, ContextResult
from agent_core.context.provider_messages import Provider
from agent_core.context.token_meter import Meter, at_most
from agent_core.domain.model_adapter import ModelAdapter, Usage
from agent_core.errors import ValidationError
from agent_core.support.argument_checks import check_arguments


@dataclass(frozen=True, slots=True)
class Condensed:
    """A summary and what making it used; an empty text: it could not be made."""

    text: str = ""
    usage: Usage | None = None


Condense = Callable[[str, list[Provider], Budget], Awaitable[Condensed]]
"""Makes a summary of the summary before (or "") and messages, in `budget.room` tokens."""


def check_shares(keep: float, max_tokens: int | None) -> None:
    """Raise ValidationError unless a policy can work with these."""
    check_arguments(check_shares, (keep, max_tokens), {}, who="the context policy")
    if not 0 < keep < 1:
        raise ValidationError("keep is the share of the window that is left full: more than 0, less than 1.")
    if max_tokens is not None and max_tokens < 1:
        raise ValidationError("max_tokens must be at least 1, or None for the model's own window.")


async def limit_of(model: ModelAdapter, options: dict[str, object], most: int | None) -> int | None:
    """Return how many tokens a request may have; None: nobody knows."""
    ask = getattr(model, "context_window", None)
    window: int | None = await ask(options) if ask is not None else None
    return most if window is None else window if most is None else min(window, most)


async def fit(
    request: ContextRequest,
    *,
    keep: float,
    max_tokens: int | None,
    room: int = 0,
    condense: Condense | None = None,
) -> ContextResult:
    """Return what of a request fits.

    Args:
        request: the request.
        keep: the share of the limit that a history is cut to.
        max_tokens: the limit, if it is lower than the model's or the model does not know its own.
        room: tokens kept for a summary, a fifth of the limit at most.
        condense: makes a summary of what is dropped; it must not raise.

    Raises:
        ModelError: it does not fit whatever is left out.
    """
    limit = await limit_of(request.model, request.options, max_tokens)
    if request.window is not None:
        limit = request.window if limit is None else min(limit, request.window)
    messages, tools, note = request.messages, request.tools, request.note
    if limit is None or (note is None and at_most(messages, tools) <= limit):
        return ContextResult(messages)
    head, body = split(messages)
    before = read(note, body) or NOTHING
    start = before if still_holds(note, limit) else NOTHING
    sent, most = start.apply(head, body), 0
    if (most := at_most(sent, tools)) <= limit:
        return _result(request, before, Plan(start, most, 0), limit)
    meter = Meter(request.model)
    fixed = await asyncio.to_thread(_fixed, meter, head, request)
    room = max(min(room, limit // 5), meter.message(summary_message(start.summary)) if start.summary else 0)
    budget = Budget(limit, int(limit * keep), fixed, room, request.model.name)
    planned = await asyncio.to_thread(plan, meter, body, start, budget)
    made = Condensed()
    if condense is not None and planned.room and planned.cut.dropped > start.dropped:
        dropped = body[start.dropped : planned.cut.dropped]
        made = await condense(start.summary, dropped, replace(budget, room=planned.room))
    return _result(request, before, planned, limit, made)


def _fixed(meter: Meter, head: list[Provider], request: ContextRequest) -> int:
    return sum(meter.message(message) for message in head) + meter.tools(request.tools)


def _result(
    request: ContextRequest, before: Cut, planned: Plan, limit: int, made: Condensed | None = None
) -> ContextResult:
    """Return what is sent, and a note if the cut is another than before."""
    made = made or Condensed()
    cut = replace(planned.cut, summary=made.text) if made.text else planned.cut
    head, body = split(request.messages)
    sent = request.messages if cut == NOTHING else cut.apply(head, body)
    if cut == before:
        return ContextResult(sent, usage=made.usage)
    note = cut.note(body, tokens=planned.tokens, window=limit, summarised=bool(made.text))
    return ContextResult(sent, note, made.usage)
