"""Create, change and run schedules, which send prompts at given times."""

from __future__ import annotations

from typing import Any

from agent_core.agent import CallContext
from agent_core.api.base import (
    ApiBase,
    Prompt,
    checked_id,
    checked_metadata,
    checked_title,
    storable,
    user_of,
)
from agent_core.domain.field_limits import check_number
from agent_core.domain.validation import prompt_parts
from agent_core.errors import AccessDeniedError, ScheduleNotFoundError, ValidationError
from agent_core.schedules.schedule import Missed, Schedule, ScheduleRun
from agent_core.schedules.triggers import At, Cron, Every, Trigger, anchored
from agent_core.sentences import sentence
from agent_core.store.database.sql import dump
from agent_core.store.reads import schedules as schedule_reads
from agent_core.store.schedules import runs as running
from agent_core.store.schedules import schedules
from agent_core.store.schedules.schedules import NewSchedule

_MAX_SCHEDULE_ID = 100
Found = list[Schedule]
Runs = list[ScheduleRun]  # in the class, `list` is a method


class Schedules(ApiBase):
    """`api.schedules`: methods for schedules.

    Users who may access a thread may access its schedules. A schedule without a thread is accessible only to the
    user who created it.
    """

    async def create(
        self,
        thread_id: str | None,
        prompt: Prompt,
        trigger: Trigger,
        *,
        title: str | None = None,
        metadata: dict[str, Any] | None = None,
        missed: Missed = "run_once",
        max_runs: int | None = None,
        schedule_id: str | None = None,
        agent: str | None = None,
        ctx: CallContext | None = None,
    ) -> Schedule:
        """Send a prompt whenever a trigger comes due.

        While the thread is running, the message is queued; while a message of the schedule is queued, no other is
        added. Its metadata has {"schedule": id}.

        Args:
            thread_id: the thread to send to; None: each run creates a thread.
            prompt: a str or a list of parts.
            trigger: `cron("0 9 * * mon-fri", timezone="Europe/Berlin")`, `every(minutes=5)` or
                `at("2030-01-31T09:00+01:00")`.
            title: the title of the schedule, and of the threads that it creates.
            metadata: plain JSON for the application, for each message.
            missed: effect of runs that came due while no worker was running: "run_once" makes one late run
                for all of them, "skip" none.
            max_runs: number of runs after which the schedule is over.
            schedule_id: the idempotency key: created twice, it is one schedule.
            agent: the name of a registered agent for the threads that it creates; None: the agent of this API.
                An existing thread keeps its agent.
            ctx: the caller, who owns the schedule and the threads that it creates.

        Raises:
            ValidationError: an argument is invalid, or the trigger never comes due.
            ThreadNotFoundError: there is no such thread.
        """
        if thread_id is not None:
            await self._authorize(ctx, thread_id)
        _check_missed(missed)
        check_number("max_runs", max_runs)
        parts = prompt_parts(prompt)
        new = NewSchedule(
            id=_checked_schedule_id(schedule_id),
            thread_id=thread_id,
            agent=self._agent_name(agent),
            user_id=user_of(ctx),
            title=checked_title(title),
            parts=parts,
            files=await self._sources(ctx, parts),
            trigger=self._anchored(trigger),
            missed=missed,
            max_runs=max_runs,
            metadata=checked_metadata(metadata),
        )
        if await self.store.writer.run(schedules.create, new):
            return await self._schedule(new.id)
        return await self._accessible(new.id, ctx)

    async def list(self, thread_id: str | None = None, *, ctx: CallContext | None = None) -> Found:
        """Return schedules, the next to come due first.

        Args:
            thread_id: only schedules of this thread; None: those of the user in `ctx`, or all if `ctx` is None.
        """
        if thread_id is not None:
            await self._authorize(ctx, thread_id)
        return await self.store.read(
            schedule_reads.listed,
            thread_id=thread_id,
            user_id=ctx.user_id if ctx else None,
            everybody=ctx is None and self._authorize_with is None,
        )

    async def get(self, schedule_id: str, *, ctx: CallContext | None = None) -> Schedule | None:
        """Return a schedule, or None if there is none with this id."""
        try:
            return await self._accessible(schedule_id, ctx)
        except ScheduleNotFoundError:
            return None

    async def update(
        self,
        schedule_id: str,
        *,
        prompt: Prompt | None = None,
        trigger: Trigger | None = None,
        title: str | None = None,
        metadata: dict[str, Any] | None = None,
        missed: Missed | None = None,
        ctx: CallContext | None = None,
    ) -> Schedule:
        """Change a schedule; None leaves a value as it is. A new trigger continues a schedule that was over.

        Raises:
            ScheduleNotFoundError
            ValidationError: an argument is invalid, or the trigger never comes due.
        """
        await self._accessible(schedule_id, ctx)
        if missed is not None:
            _check_missed(missed)
        parts = None if prompt is None else prompt_parts(prompt)
        sources = await self._sources(ctx, parts or [])
        given = {
            "parts": None if parts is None else dump(parts),
            "title": checked_title(title),
            "meta": None if metadata is None else dump(checked_metadata(metadata)),
            "missed_policy": missed,
        }
        columns = {name: value for name, value in given.items() if value is not None}
        moved = None if trigger is None else self._anchored(trigger)
        await self.store.writer.run(schedules.change, schedule_id, moved, parts or [], sources, **columns)
        return await self._schedule(schedule_id)

    async def pause(self, schedule_id: str, *, ctx: CallContext | None = None) -> Schedule:
        """Pause a schedule until it is resumed.

        Raises:
            ScheduleNotFoundError
        """
        return await self._change(schedules.pause, schedule_id, ctx)

    async def resume(self, schedule_id: str, *, ctx: CallContext | None = None) -> Schedule:
        """Resume a paused schedule; runs that came due during the pause are not made up for.

        Raises:
            ScheduleNotFoundError
            ValidationError: its trigger never comes due again.
        """
        return await self._change(schedules.resume, schedule_id, ctx)

    async def run_now(self, schedule_id: str, *, ctx: CallContext | None = None) -> Schedule:
        """Run a schedule now, also one that is paused or over; its next run keeps its time.

        Raises:
            ScheduleNotFoundError, ThreadNotFoundError
        """
        return await self._change(running.run_now, schedule_id, ctx)

    async def runs(self, schedule_id: str, *, limit: int = 20, ctx: CallContext | None = None) -> Runs:
        """Return the newest runs of a schedule, newest first, except those in deleted threads.

        Raises:
            ScheduleNotFoundError
            ValidationError: the limit is less than 1.
        """
        check_number("limit", limit)
        found = await self._accessible(schedule_id, ctx)
        return await self.store.read(schedule_reads.runs, found, limit)

    async def delete(self, schedule_id: str, *, ctx: CallContext | None = None) -> None:
        """Delete a schedule; its messages and threads stay.

        Raises:
            ScheduleNotFoundError
        """
        await self._accessible(schedule_id, ctx)
        await self.store.writer.run(schedules.remove, schedule_id)

    async def _change(self, change: Any, schedule_id: str, ctx: CallContext | None) -> Schedule:
        await self._accessible(schedule_id, ctx)
        await self.store.writer.run(change, schedule_id)
        return await self._schedule(schedule_id)

    async def _accessible(self, schedule_id: str, ctx: CallContext | None) -> Schedule:
        """Return a schedule that the caller may access."""
        found = await self._schedule(schedule_id)
        is_application = ctx is None and self._authorize_with is None
        if found.thread_id is not None:
            await self._authorize(ctx, found.thread_id)
        elif not is_application and found.user_id != (ctx.user_id if ctx else None):
            raise AccessDeniedError(sentence("schedule_forbidden", schedule=schedule_id))
        return found

    async def _schedule(self, schedule_id: str) -> Schedule:
        found = None
        if storable(schedule_id):
            found = await self.store.read(schedule_reads.one, schedule_id)
        if found is None:
            raise ScheduleNotFoundError(sentence("schedule_not_found", schedule=schedule_id))
        return found

    def _anchored(self, trigger: Trigger) -> Trigger:
        if not isinstance(trigger, Cron | Every | At):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValidationError("A trigger is made by cron(…), every(…) or at(…).")
        return anchored(trigger, self.store.clock.now())


def _checked_schedule_id(given: str | None) -> str:
    schedule_id = checked_id(given, "sched")
    if len(schedule_id) > _MAX_SCHEDULE_ID or ":" in schedule_id:
        raise ValidationError(f"A schedule's id has at most {_MAX_SCHEDULE_ID} characters and no colon.")
    return schedule_id


def _check_missed(missed: str) -> None:
    if missed not in ("run_once", "skip"):
        raise ValidationError('missed must be "run_once" or "skip".')
