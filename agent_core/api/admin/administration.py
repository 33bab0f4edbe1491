"""Report on the work of all threads, for those who run the application."""

from __future__ import annotations

from agent_core.agent import CallContext
from agent_core.api.admin.base import checked_limit
from agent_core.api.admin.everybody import EverybodyMethods
from agent_core.api.admin.failures import FailureMethods
from agent_core.domain.reports import WorkReport
from agent_core.store.wake_ups import work_report


class Administration(FailureMethods, EverybodyMethods):
    """`api.admin`: methods for what belongs to everybody: work, failed threads, usage, schedules and storage."""

    DENIED = "admin_forbidden"

    async def work(self, *, limit: int = 50, ctx: CallContext | None = None) -> WorkReport:
        """Return the workers, the queue, and the steps that begin next.

        Args:
            limit: maximum number of these steps, from 1 to 1,000.

        Raises:
            ValidationError: the limit is out of its range.
        """
        await self._check(ctx)
        store = self.store
        return await store.read(
            work_report.work, store.clock.now(), store.settings.lease, checked_limit(limit)
        )
