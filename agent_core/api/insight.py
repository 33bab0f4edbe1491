"""Observing: what ran and when, and what it cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase
from agent_core.domain.activity import Durability
from agent_core.domain.spans import Span
from agent_core.domain.usage import ThreadUsage, UsageSummary
from agent_core.errors import ThreadNotFoundError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.insight import durability, timeline, usage

_MAX_TURNS = 1_000_000
_MAX_REPLIES = 10_000


class TimelineMethods(ApiBase):
    """The method for those who look at how the work of a thread goes."""

    async def timeline(
        self,
        thread_id: str,
        *,
        turns: int | None = None,
        replies: Sequence[str] | None = None,
        ctx: CallContext | None = None,
    ) -> list[Span]:
        """Return what ran for a thread, each attempt a span, in the order of their beginnings.

        Args:
            thread_id: the thread.
            turns: only the newest so many turns; None: all. It costs what they cost, however long
                the thread is.
            replies: only the turns whose answers are the messages with these ids, at the same cost.
            ctx: who calls.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: `turns` is no number above 0, `replies` are too many, or both are given.
        """
        await self._authorize(ctx, thread_id)
        if turns is not None and (type(turns) is not int or not 0 < turns <= _MAX_TURNS):
            raise ValidationError(f"turns is a number from 1 to {_MAX_TURNS}, or None for all.")
        if replies is not None and (turns is not None or len(replies) > _MAX_REPLIES):
            raise ValidationError(f"Ask for turns, or for up to {_MAX_REPLIES:,} replies.")
        spans = await asyncio.to_thread(self.store.reads.read, timeline.timeline, thread_id, turns, replies)
        if spans is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        return spans


class Insight(ApiBase):
    """`api.insight`: how the work is held at this moment, and what it cost."""

    async def durability(self, thread_id: str, *, ctx: CallContext | None = None) -> Durability:
        """Return how a thread is held at this moment: who works on it, and what is committed.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        mine = self.store.process, self.store.settings.lease
        found = await asyncio.to_thread(self.store.reads.read, durability.durability, thread_id, *mine)
        if found is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        return found

    async def usage(self, thread_id: str, *, ctx: CallContext | None = None) -> ThreadUsage:
        """Return the tokens and the cost of a thread: in all, by message and by model.

        Attempts that failed or were lost count too, as far as the provider told their tokens.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self._thread(thread_id)
        return await asyncio.to_thread(self.store.reads.read, usage.of_thread, thread_id)

    async def usage_summary(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        user_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> UsageSummary:
        """Return the tokens and the cost of all threads there are, by day, model and agent.

        Args:
            since: only requests that began then or later; a datetime with its time zone.
            until: only those that began before.
            user_id: only this person's threads; without it those of `ctx`'s user, if there is one.
            ctx: who calls.

        Raises:
            ValidationError: a moment has no time zone.
        """
        bounds = [None if moment is None else _seconds(moment) for moment in (since, until)]
        owner = user_id if user_id is not None else (ctx.user_id if ctx else None)
        return await asyncio.to_thread(self.store.reads.read, usage.summary, owner, *bounds)


def _seconds(moment: datetime) -> float:
    if not isinstance(moment, datetime) or moment.tzinfo is None:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("since and until are datetimes with a time zone, such as datetime.now(UTC).")
    return moment.timestamp()
