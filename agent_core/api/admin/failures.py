"""List failed threads of everybody, and retry them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from agent_core.agent import CallContext
from agent_core.api.admin.base import AdminMethods, checked_limit, seconds_of
from agent_core.api.base import storable
from agent_core.domain.reports import FailureReport
from agent_core.errors import ValidationError
from agent_core.store.turns import failures

_MAX_RETRIED = 500
"""Maximum number of threads that a call retries."""

_AT_ONCE = 20
"""Number of transactions that wait for the writer together."""


class FailureMethods(AdminMethods):
    """Methods for failed threads."""

    async def failed_threads(
        self,
        *,
        limit: int = 50,
        agent: str | None = None,
        error_kind: str | None = None,
        ctx: CallContext | None = None,
    ) -> FailureReport:
        """Return failed threads, newest failure first, and their numbers by agent and kind of the error.

        Args:
            limit: maximum number of threads, from 1 to 1,000.
            agent: only threads of this agent.
            error_kind: only threads with an error of this kind, such as "auth"; "" for errors without one.

        Raises:
            ValidationError: an argument is invalid.
        """
        await self._check(ctx)
        given = checked_limit(limit), *_names(agent, error_kind)
        return await self.store.read(failures.report, self.store.clock.now(), *given)

    async def retry_failed(self, threads: Mapping[str, int], *, ctx: CallContext | None = None) -> int:
        """Run the failed step of threads again, each in a transaction of its own; return how many are retried.

        A thread that has gone on since it was listed is left alone, so a repeated call retries nothing twice.

        Args:
            threads: the fencing token `FailedThread.seq` of each thread, by its id; at most 500.

        Raises:
            ValidationError: `threads` is no dict of numbers by id, or has too many.
        """
        await self._check(ctx)
        given = dict(threads) if isinstance(threads, Mapping) else None  # pyright: ignore[reportUnnecessaryIsInstance]
        if given is None or not all(type(seq) is int for seq in given.values()):
            raise ValidationError("threads is a dict from the ids of threads to the seq of each.")
        if len(given) > _MAX_RETRIED:
            raise ValidationError(f"Retry at most {_MAX_RETRIED} threads at once.")
        return await self._retry({thread_id: seq for thread_id, seq in given.items() if storable(thread_id)})

    async def retry_all_failed(
        self,
        *,
        until: datetime | None = None,
        agent: str | None = None,
        error_kind: str | None = None,
        ctx: CallContext | None = None,
    ) -> int:
        """Retry the threads that failed first, at most 500; return how many are retried.

        Call it again, with the same `until`, until it returns 0: a thread that fails again is not retried again.

        Args:
            until: only threads that failed before or at this moment, such as `FailureReport.at`; None: now.
            agent, error_kind: as in `failed_threads`.

        Raises:
            ValidationError: an argument is invalid.
        """
        await self._check(ctx)
        last = self.store.clock.now() if until is None else seconds_of(until)
        names = _names(agent, error_kind)
        return await self._retry(await self.store.read(failures.oldest, last, _MAX_RETRIED, *names))

    async def _retry(self, threads: Mapping[str, int]) -> int:
        left, retried = list(threads.items()), 0
        while left:
            now, left = left[:_AT_ONCE], left[_AT_ONCE:]
            writes = (self.store.writer.run(failures.retry, *thread) for thread in now)
            retried += sum(await asyncio.gather(*writes))
        return retried


def _names(agent: str | None, error_kind: str | None) -> tuple[str | None, str | None]:
    for name in (agent, error_kind):
        if name is not None and not storable(name):
            raise ValidationError(f"{name!r:.60} cannot be the name of an agent or the kind of an error.")
    return agent, error_kind
