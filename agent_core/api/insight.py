"""Report what ran for threads and when, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase
from agent_core.domain.durability import Durability
from agent_core.domain.spans import Span
from agent_core.domain.usage import ThreadUsage, UsageSummary
from agent_core.errors import ThreadNotFoundError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.insight import durability, timeline, usage

_MAX_TURNS = 1_000_000
_MAX_REPLIES = 10_000


class TimelineMethods(ApiBase):
    """Method for the history of a thread's work."""

    async def timeline(
        self,
        thread_id: str,
        *,
        turns: int | None = None,
        replies: Sequence[str] | None = None,
        ctx: CallContext | None = None,
    ) -> list[Span]:
        """Return the spans of a thread, one for each attempt, ordered by start.

        Args:
            turns: only the newest turns; None: all. The cost depends on their number, not on the thread's length.
            replies: only the turns whose replies have these message ids.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: `turns` is not a number above 0, there are too many `replies`, or both are given.
        """
        await self._authorize(ctx, thread_id)
        if turns is not None and (type(turns) is not int or not 0 < turns <= _MAX_TURNS):
            raise ValidationError(f"turns is a number from 1 to {_MAX_TURNS}, or None for all.")
        if replies is not None and (turns is not None or len(replies) > _MAX_REPLIES):
            raise ValidationError(f"Pass turns, or up to {_MAX_REPLIES:,} replies.")
        spans = await self.store.read(timeline.timeline, thread_id, turns, replies)
        if spans is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        return spans


class Insight(ApiBase):
    """`api.insight`: current work, and usage."""

    async def durability(self, thread_id: str, *, ctx: CallContext | None = None) -> Durability:
        """Return the current work on a thread: its leases, and what is committed.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        own = self.store.process, self.store.settings.lease
        found = await self.store.read(durability.durability, thread_id, *own)
        if found is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        return found

    async def usage(self, thread_id: str, *, ctx: CallContext | None = None) -> ThreadUsage:
        """Return the tokens and the cost of a thread: in total, by message and by model.

        Failed and lost attempts are included, if the provider reported their tokens.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._open(ctx, thread_id)
        return await self.store.read(usage.of_thread, thread_id)

    async def usage_summary(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        user_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> UsageSummary:
        """Return the tokens and the cost of all threads, deleted ones included, by day, model and agent.

        Args:
            since: only requests that began at or after this moment, rounded down to a quarter of an hour; a
                datetime with a time zone.
            until: only requests that began before this moment, rounded likewise.
            user_id: only this user's threads; None: those of the user in `ctx`, if there is one.

        Raises:
            ValidationError: a moment has no time zone.
        """
        bounds = [None if moment is None else _seconds(moment) for moment in (since, until)]
        owner = user_id if user_id is not None else (ctx.user_id if ctx else None)
        return await self.store.read(usage.summary, owner, *bounds)


def _seconds(moment: datetime) -> float:
    if not isinstance(moment, datetime) or moment.tzinfo is None:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("since and until are datetimes with a time zone, such as datetime.now(UTC).")
    return moment.timestamp()
