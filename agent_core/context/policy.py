"""Define context policies, from the history of a request to the messages to send; `TrimOldest` is the default.

A policy runs before every model request, after the history was repaired and before
`transform_messages`. Its note is stored in the thread with the step: people can see it, and the policy
continues from it, so a policy needs no state in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from agent_core.context.cut import (
    NOTHING,
    Budget,
    Cut,
    CutPlan,
    cut_from_note,
    plan_cut,
    split,
    still_holds,
    summary_message,
)
from agent_core.context.token_meter import TokenMeter, at_most
from agent_core.domain.model_adapter import ModelAdapter, ProviderMessage, Usage
from agent_core.errors import ValidationError
from agent_core.support.argument_checks import check_arguments, known_options


class Weighed(NamedTuple):
    """An upper bound of the tokens of a list of messages, while it has `length` messages."""

    messages: list[ProviderMessage]
    length: int
    most_tokens: int

    def holds(self, messages: list[ProviderMessage]) -> bool:
        """Return whether it is of this list, and the list has not grown or shrunk."""
        return self.messages is messages and self.length == len(messages)


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """One model request before it is sent.

    Attributes:
        messages: the whole history in the provider's form, paired; the system prompt is the first.
        tools: OpenAI function tools of the request.
        model: the model of the request.
        options: the agent's options for the request.
        note: the newest note of a policy in this thread, as plain JSON; None if there is none.
        thread_id: the thread.
        window: maximum tokens of a request, as named by the provider in an earlier refusal; None if there
            was none.
        weighed: upper bound of the tokens of `messages`; it is ignored if they are other ones.
    """

    messages: list[ProviderMessage]
    tools: list[dict[str, Any]]
    model: ModelAdapter
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    note: Any = None
    thread_id: str = ""
    window: int | None = None
    weighed: Weighed | None = None

    def at_most(self) -> int:
        """Return an upper bound of the tokens of the whole request."""
        if self.weighed is not None and self.weighed.holds(self.messages):
            return self.weighed.most_tokens + at_most((), self.tools)
        return at_most(self.messages, self.tools)


@dataclass(frozen=True, slots=True)
class ContextResult:
    """Messages to send, with a note.

    Attributes:
        messages: new messages, or those of the request. They are paired again, so a cut between a tool
            call and its outcome is safe.
        note: plain JSON to store as a `data-context` part of the assistant's message; None: no change
            since the last note.
        usage: usage of the policy's own model requests; counted with the step's.
    """

    messages: list[ProviderMessage]
    note: dict[str, Any] | None = None
    usage: Usage | None = None


class ContextPolicy(Protocol):
    """Policy that selects the messages to send: `TrimOldest`, `SummariseOldest`, or a custom async function."""

    def __call__(self, request: ContextRequest, /) -> Awaitable[ContextResult]:
        """Return the messages to send; may be called again with the same request.

        Raises:
            ModelError: the request cannot be made to fit; the turn fails with this error.
        """
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary and its usage; an empty text means that it could not be made."""

    text: str = ""
    usage: Usage | None = None


_Summariser = Callable[[str, list[ProviderMessage], Budget], Awaitable[Summary]]
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
    summariser: _Summariser | None = None,
) -> ContextResult:
    """Return the part of a request that fits.

    Args:
        request: the request.
        keep: share of the limit to which a history is cut.
        max_tokens: the limit, if lower than the model's or if the model's is unknown.
        room: tokens reserved for a summary, at most a fifth of the limit.
        summariser: makes a summary of the dropped messages; must not raise.

    Raises:
        ModelError: the request cannot be made to fit.
    """
    limit = await limit_of(request.model, request.options, max_tokens)
    if request.window is not None:
        limit = request.window if limit is None else min(limit, request.window)
    messages, tools, note = request.messages, request.tools, request.note
    if limit is None or (note is None and request.at_most() <= limit):
        return ContextResult(messages)
    head, body = split(messages)
    before = cut_from_note(note, body) or NOTHING
    start = before if still_holds(note, limit) else NOTHING
    if (tokens := at_most(start.apply(head, body), tools)) <= limit:
        return _result(request, before, CutPlan(start, tokens, 0), limit, Summary())
    meter = TokenMeter(request.model)
    fixed = await asyncio.to_thread(meter.request, head, request.tools)
    room = max(min(room, limit // 5), meter.message(summary_message(start.summary)) if start.summary else 0)
    budget = Budget(limit, int(limit * keep), fixed, room, request.model.name)
    planned = await asyncio.to_thread(plan_cut, meter, body, start, budget)
    made = Summary()
    if summariser is not None and planned.room and planned.cut.dropped > start.dropped:
        dropped = body[start.dropped : planned.cut.dropped]
        made = await summariser(start.summary, dropped, replace(budget, room=planned.room))
    return _result(request, before, planned, limit, made)


def _result(
    request: ContextRequest, before: Cut, planned: CutPlan, limit: int, made: Summary
) -> ContextResult:
    """Return the messages to send, and a note if the cut has changed."""
    cut = replace(planned.cut, summary=made.text) if made.text else planned.cut
    head, body = split(request.messages)
    sent = request.messages if cut == NOTHING else cut.apply(head, body)
    if cut == before:
        return ContextResult(sent, usage=made.usage)
    note = cut.note(body, tokens=planned.tokens, window=limit, summarised=bool(made.text))
    return ContextResult(sent, note, made.usage)


@known_options
@dataclass(frozen=True, slots=True)
class TrimOldest:
    """Policy that omits the oldest turns of a thread that exceeds the model's window.

    The system prompt and the newest turn always stay. If that turn alone is too long, its tool
    outcomes are shortened, oldest first. If that is not enough, the turn fails with a `ModelError`
    of the kind context_window_exceeded, without a retry.

    Args:
        keep: share of the window to which a thread that is too long is cut, so that the cut stays
            in place for a while, for the caches of providers.
        max_tokens: maximum size of a request, including system prompt and tools. By default the
            model's window, less room for the answer; if the window is unknown, there is no limit.

    Raises:
        ValidationError: an argument is out of range.
    """

    keep: float = 0.7
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        check_shares(self.keep, self.max_tokens)

    async def __call__(self, request: ContextRequest, /) -> ContextResult:
        """Return the part of a request that fits."""
        return await fit_request(request, keep=self.keep, max_tokens=self.max_tokens)
