"""Report on the work of all threads, for those who run the application."""

from __future__ import annotations

from agent_core.agent import CallContext
from agent_core.api.admin.base import AdminMethods
from agent_core.domain.field_limits import check_number
from agent_core.domain.reports import WorkReport
from agent_core.errors import ValidationError
from agent_core.store.wake_ups import work_report

_MAX_ROWS = 1_000


def checked_limit(limit: int) -> int:
    """Return a maximum number of rows.

    Raises:
        ValidationError: it is not a number from 1 to 1,000.
    """
    check_number("limit", limit)
    if limit > _MAX_ROWS:
        raise ValidationError(f"limit is a number from 1 to {_MAX_ROWS:,}.")
    return limit


class Administration(AdminMethods):
    """`api.admin`: methods for what belongs to everybody: the work of all threads."""

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
