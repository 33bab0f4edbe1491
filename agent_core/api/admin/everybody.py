"""Report on usage, schedules and storage of everybody, and change their schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent_core.agent import CallContext
from agent_core.api.admin.base import AdminMethods, checked_limit, seconds_of
from agent_core.api.base import storable
from agent_core.domain.reports import PeopleUsage, StorageReport
from agent_core.errors import ScheduleNotFoundError
from agent_core.schedules.schedule import ScheduleReport
from agent_core.sentences import sentence
from agent_core.store.insight import storage, usage
from agent_core.store.reads import schedules as schedule_reads
from agent_core.store.schedules import schedules


class EverybodyMethods(AdminMethods):
    """Methods for usage, schedules and storage."""

    async def usage(
        self, *, since: datetime, limit: int = 100, ctx: CallContext | None = None
    ) -> PeopleUsage:
        """Return what all have used since a moment, and those who have cost most.

        Args:
            since: only requests that began at or after this moment, rounded down to a quarter of an hour.
            limit: maximum number of users, from 1 to 1,000.

        Raises:
            ValidationError: the moment has no time zone, or the limit is out of its range.
        """
        await self._check(ctx)
        first, most = seconds_of(since), checked_limit(limit)
        by_user = await self.store.read(usage.by_user, first, most)
        total = await self.store.read(usage.summary, None, first)
        return PeopleUsage(total.total, by_user)

    async def schedules(self, *, limit: int = 100, ctx: CallContext | None = None) -> list[ScheduleReport]:
        """Return the schedules of all owners, the next to come due first, those that are over last.

        Args:
            limit: maximum number of schedules, from 1 to 1,000.

        Raises:
            ValidationError: the limit is out of its range.
        """
        await self._check(ctx)
        return await self.store.read(schedule_reads.everybodys, checked_limit(limit))

    async def pause_schedule(self, schedule_id: str, *, ctx: CallContext | None = None) -> None:
        """Pause a schedule of any owner until it is resumed.

        Raises:
            ScheduleNotFoundError
        """
        await self._change_schedule(ctx, schedules.pause, schedule_id)

    async def resume_schedule(self, schedule_id: str, *, ctx: CallContext | None = None) -> None:
        """Resume a paused schedule of any owner.

        Raises:
            ScheduleNotFoundError
            ValidationError: its trigger never comes due again.
        """
        await self._change_schedule(ctx, schedules.resume, schedule_id)

    async def delete_schedule(self, schedule_id: str, *, ctx: CallContext | None = None) -> None:
        """Delete a schedule of any owner; its messages and threads stay.

        Raises:
            ScheduleNotFoundError
        """
        await self._change_schedule(ctx, schedules.remove, schedule_id)

    async def storage(self, *, ctx: CallContext | None = None) -> StorageReport:
        """Return what the database takes by kind of its rows, and what is deleted next.

        It reads every table once, so it takes seconds in a large database.
        """
        await self._check(ctx)
        store = self.store
        default = store.settings.delete_after
        own = {name: getattr(agent, "delete_after", None) for name, agent in store.agents.items()}
        keeps = {name: default if keep is None else keep for name, keep in own.items()}
        return await store.read(storage.storage, store.path, keeps, store.clock.now())

    async def _change_schedule(self, ctx: CallContext | None, change: Any, schedule_id: str) -> None:
        await self._check(ctx)
        if not storable(schedule_id):
            raise ScheduleNotFoundError(sentence("schedule_not_found", schedule=schedule_id))
        await self.store.writer.run(change, schedule_id)
