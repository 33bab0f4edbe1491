"""Fit a request into its model's window; shared by all policies of this library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from agent_core.context.cut import NOTHING, Cut, cut_from_note, split, still_holds, summary_message
from agent_core.context.plan import Budget, CutPlan, plan_cut
from agent_core.context.policy import ContextRequest, ContextResult
from agent_core.context.token_meter import TokenMeter, at_most
from agent_core.domain.model_adapter import ModelAdapter, ProviderMessage, Usage
from agent_core.errors import ValidationError
from agent_core.support.argument_checks import check_arguments


@dataclass(frozen=True, slots=True)
class Condensed:
    """A summary and its usage; an empty text means that it could not be made."""

    text: str = ""
    usage: Usage | None = None


Condense = Callable[[str, list[ProviderMessage], Budget], Awaitable[Condensed]]
"""Makes a summary of the previous summary (or "") and messages, in `budget.room` tokens."""


def check_shares(keep: float, max_tokens: int | None) -> None:
    """Raise ValidationError unless the options of a policy are valid."""
    check_arguments(check_shares, (keep, max_tokens), {}, who="the context policy")
    if not 0 < keep < 1:
        raise ValidationError("keep must be a share of the window, more than 0 and less than 1.")
    if max_tokens is not None and max_tokens < 1:
        raise ValidationError("max_tokens must be at least 1, or None for the model's own window.")


async def limit_of(model: ModelAdapter, options: dict[str, object], most: int | None) -> int | None:
    """Return the maximum number of tokens of a request; None: unknown."""
    ask = getattr(model, "context_window", None)
    window: int | None = await ask(options) if ask is not None else None
    return most if window is None else window if most is None else min(window, most)


async def fit_request(
    request: ContextRequest,
    *,
    keep: float,
    max_tokens: int | None,
    room: int = 0,
    condense: Condense | None = None,
) -> ContextResult:
    """Return the part of a request that fits.

    Args:
        request: the request.
        keep: share of the limit to which a history is cut.
        max_tokens: the limit, if lower than the model's or if the model's is unknown.
        room: tokens reserved for a summary, at most a fifth of the limit.
        condense: makes a summary of the dropped messages; must not raise.

    Raises:
        ModelError: the request cannot be made to fit.
    """
    limit = await limit_of(request.model, request.options, max_tokens)
    if request.window is not None:
        limit = request.window if limit is None else min(limit, request.window)
    messages, tools, note = request.messages, request.tools, request.note
    if limit is None or (note is None and at_most(messages, tools) <= limit):
        return ContextResult(messages)
    head, body = split(messages)
    before = cut_from_note(note, body) or NOTHING
    start = before if still_holds(note, limit) else NOTHING
    sent, most = start.apply(head, body), 0
    if (most := at_most(sent, tools)) <= limit:
        return _result(request, before, CutPlan(start, most, 0), limit)
    meter = TokenMeter(request.model)
    fixed = await asyncio.to_thread(_fixed, meter, head, request)
    room = max(min(room, limit // 5), meter.message(summary_message(start.summary)) if start.summary else 0)
    budget = Budget(limit, int(limit * keep), fixed, room, request.model.name)
    planned = await asyncio.to_thread(plan_cut, meter, body, start, budget)
    made = Condensed()
    if condense is not None and planned.room and planned.cut.dropped > start.dropped:
        dropped = body[start.dropped : planned.cut.dropped]
        made = await condense(start.summary, dropped, replace(budget, room=planned.room))
    return _result(request, before, planned, limit, made)


def _fixed(meter: TokenMeter, head: list[ProviderMessage], request: ContextRequest) -> int:
    return sum(meter.message(message) for message in head) + meter.tools(request.tools)


def _result(
    request: ContextRequest, before: Cut, planned: CutPlan, limit: int, made: Condensed | None = None
) -> ContextResult:
    """Return the messages to send, and a note if the cut has changed."""
    made = made or Condensed()
    cut = replace(planned.cut, summary=made.text) if made.text else planned.cut
    head, body = split(request.messages)
    sent = request.messages if cut == NOTHING else cut.apply(head, body)
    if cut == before:
        return ContextResult(sent, usage=made.usage)
    note = cut.note(body, tokens=planned.tokens, window=limit, summarised=bool(made.text))
    return ContextResult(sent, note, made.usage)
