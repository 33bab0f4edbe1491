"""Schedules: prompts that are sent by themselves, once or again and again."""

from __future__ import annotations

import asyncio
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
Runs = list[ScheduleRun]  # inside the class `list` is a method


class Schedules(ApiBase):
    """Methods for schedules, as `api.schedules`.

    A schedule of a thread belongs to whoever may touch the thread; any other to the person who made
    it, and to nobody else.
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
        """Send a prompt whenever a trigger comes due; it survives every restart.

        While the thread is running the message is queued, and as long as one of the schedule's waits
        no other is added. Its metadata holds {"schedule": id}.

        Args:
            thread_id: where it is sent; None: each run makes a thread of its own.
            prompt: a str or a list of parts.
            trigger: `cron("0 9 * * mon-fri", timezone="Europe/Berlin")`, `every(minutes=5)` or
                `at("2030-01-31T09:00+01:00")`.
            title: what it is called, and the title of the threads it makes.
            metadata: plain JSON of the application's own, for each message.
            missed: what becomes of runs that nobody was there for, because every worker was down:
                "run_once" makes one late run of them all, "skip" none.
            max_runs: it is over after so many.
            schedule_id: the idempotency key: made twice, it is one schedule.
            agent: of the threads that it makes, by the name that the runtime knows it by; None: this
                API's own. A thread that is there keeps its agent.
            ctx: who calls; the schedule and the threads that it makes become theirs.

        Raises:
            ValidationError: an argument is not acceptable, or the trigger never comes due.
            ThreadNotFoundError: there is no such thread.
        """
        if thread_id is not None:
            await self._authorize(ctx, thread_id)
        if missed not in ("run_once", "skip"):
            raise ValidationError('missed must be "run_once" or "skip".')
        parts = prompt_parts(prompt)
        new = NewSchedule(
            id=_checked_schedule_id(schedule_id),
            thread_id=thread_id,
            agent=self.agent.name if agent is None else self._agent_name(agent),
            user_id=user_of(ctx),
            title=checked_title(title),
            parts=parts,
            files=await self._sources(ctx, parts),
            trigger=self._anchored(trigger),
            missed=missed,
            max_runs=_checked_count(max_runs),
            metadata=checked_metadata(metadata),
        )
        if await self.store.writer.run(schedules.create, new):
            return await self._schedule(new.id)
        return await self._mine(new.id, ctx)

    async def list(self, thread_id: str | None = None, *, ctx: CallContext | None = None) -> Found:
        """Return schedules, the next to come due first.

        Args:
            thread_id: only those of this thread; without it those of `ctx`'s user, or all of them
                if nobody is said to call.
            ctx: who calls.
        """
        if thread_id is not None:
            await self._authorize(ctx, thread_id)
        return await asyncio.to_thread(
            schedule_reads.listed,
            self.store.reads,
            thread_id=thread_id,
            user_id=ctx.user_id if ctx else None,
            everybody=ctx is None and self._authorize_with is None,
        )

    async def get(self, schedule_id: str, *, ctx: CallContext | None = None) -> Schedule | None:
        """Return a schedule, or None if there is none with this id."""
        try:
            return await self._mine(schedule_id, ctx)
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
        """Change a schedule; what is None stays. With a new trigger one that was over goes on.

        Raises:
            ScheduleNotFoundError
            ValidationError: an argument is not acceptable, or the trigger never comes due.
        """
        await self._mine(schedule_id, ctx)
        if missed not in (None, "run_once", "skip"):
            raise ValidationError('missed must be "run_once" or "skip".')
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
        """Let a schedule run nothing until it is resumed.

        Raises:
            ScheduleNotFoundError
        """
        return await self._change(schedules.pause, schedule_id, ctx)

    async def resume(self, schedule_id: str, *, ctx: CallContext | None = None) -> Schedule:
        """Let a paused schedule go on; what came due in its pause is not made up for.

        Raises:
            ScheduleNotFoundError
            ValidationError: its time has passed meanwhile.
        """
        return await self._change(schedules.resume, schedule_id, ctx)

    async def run_now(self, schedule_id: str, *, ctx: CallContext | None = None) -> Schedule:
        """Do a run that is not due, also of one that is paused or over; the next stays where it is.

        Raises:
            ScheduleNotFoundError, ThreadNotFoundError
        """
        return await self._change(running.run_now, schedule_id, ctx)

    async def runs(self, schedule_id: str, *, limit: int = 20, ctx: CallContext | None = None) -> Runs:
        """Return the newest runs of a schedule, newest first; those of deleted threads are gone with them.

        Raises:
            ScheduleNotFoundError
            ValidationError: the limit is less than 1.
        """
        check_number("limit", limit)
        found = await self._mine(schedule_id, ctx)
        return await asyncio.to_thread(schedule_reads.runs, self.store.reads, found, limit)

    async def delete(self, schedule_id: str, *, ctx: CallContext | None = None) -> None:
        """Delete a schedule; what it has sent stays.

        Raises:
            ScheduleNotFoundError
        """
        await self._mine(schedule_id, ctx)
        await self.store.writer.run(schedules.remove, schedule_id)

    async def _change(self, change: Any, schedule_id: str, ctx: CallContext | None) -> Schedule:
        await self._mine(schedule_id, ctx)
        await self.store.writer.run(change, schedule_id)
        return await self._schedule(schedule_id)

    async def _mine(self, schedule_id: str, ctx: CallContext | None) -> Schedule:
        """Return a schedule that the caller may touch."""
        found = await self._schedule(schedule_id)
        if found.thread_id is not None:
            await self._authorize(ctx, found.thread_id)
        elif ctx is None and self._authorize_with is None:
            pass  # the application's own code
        elif found.user_id != (ctx.user_id if ctx else None):
            raise AccessDeniedError(sentence("schedule_forbidden", schedule=schedule_id))
        return found

    async def _schedule(self, schedule_id: str) -> Schedule:
        found = None
        if storable(schedule_id):
            found = await asyncio.to_thread(schedule_reads.one, self.store.reads, schedule_id)
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


def _checked_count(given: int | None) -> int | None:
    check_number("max_runs", given)
    return given
