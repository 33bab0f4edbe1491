"""Make the tools by which an agent sets, lists and cancels reminders in its thread."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from pydantic import Field

from agent_core.api.base import HasStore, store_of
from agent_core.domain.validation import prompt_parts
from agent_core.errors import ScheduleNotFoundError, ValidationError
from agent_core.schedules.schedule import Schedule
from agent_core.schedules.triggers import Trigger, anchored, at, cron, every
from agent_core.store.reads import schedules as schedule_reads
from agent_core.store.schedules import schedules
from agent_core.store.schedules.schedules import NewSchedule
from agent_core.store.store import Store
from agent_core.support.clock import as_datetime
from agent_core.tools import Tool, ToolContext, create_action_tool

MAX_REMINDERS = 20
"""Maximum number of pending reminders of a thread, so that a model in a loop cannot fill the database."""


def remind_me(runtime: HasStore | Store, *, name: str = "remind_me") -> Tool:
    """Make a tool that schedules a message in the thread that calls it.

    The message is sent like a user's, queued if the thread is running, with {"schedule": id} in its metadata, and
    the agent answers it.

    Args:
        runtime: the runtime, or the store, of the threads.
        name: the name of the tool for the model.
    """
    store = store_of(runtime, "remind_me")

    async def handler(
        what: Annotated[str, Field(description="the reminder, as it is to be said then")],
        ctx: ToolContext,
        in_minutes: Annotated[float | None, Field(description="how many minutes from now")] = None,
        at_time: Annotated[
            str | None, Field(description="when, as ISO 8601, such as 2030-01-31T09:00")
        ] = None,
        repeat: Annotated[
            str | None, Field(description="a cron expression, for again and again: 0 9 * * mon-fri")
        ] = None,
        timezone: Annotated[str, Field(description="of at_time and repeat, such as Europe/Berlin")] = "UTC",
    ) -> dict[str, Any]:
        now = store.clock.now()
        new = _reminder(what, anchored(_trigger(in_minutes, at_time, repeat, timezone, now), now), ctx)
        pending = [found for found in await _pending(store, ctx) if found.id != new.id]
        if len(pending) >= MAX_REMINDERS:
            raise ValidationError(f"There are {MAX_REMINDERS} reminders already; cancel one first.")
        await store.writer.run(schedules.create, new)
        made = await store.read(schedule_reads.one, new.id)
        return _as_json(made) if made else {"id": new.id}

    return create_action_tool(
        handler=handler,
        name=name,
        retry=True,  # created twice, it is one reminder
        description="Set a reminder in this conversation: once, in some minutes or at a time, or again and "
        "again. Pass exactly one of in_minutes, at_time and repeat.",
    )


def list_reminders(runtime: HasStore | Store, *, name: str = "list_reminders") -> Tool:
    """Make a tool that returns the reminders of the thread, and the time."""
    store = store_of(runtime, "list_reminders")

    async def handler(ctx: ToolContext) -> dict[str, Any]:
        found = [_as_json(schedule) for schedule in await _pending(store, ctx)]
        return {"now": as_datetime(store.clock.now()).isoformat(), "reminders": found}

    return create_action_tool(
        handler=handler,
        name=name,
        retry=True,
        description="List the reminders of this conversation, and the time it is now.",
    )


def cancel_reminder(runtime: HasStore | Store, *, name: str = "cancel_reminder") -> Tool:
    """Make a tool that deletes a reminder of the thread."""
    store = store_of(runtime, "cancel_reminder")

    async def handler(
        reminder_id: Annotated[str, Field(description="as list_reminders shows it")], ctx: ToolContext
    ) -> str:
        if reminder_id not in [found.id for found in await _pending(store, ctx)]:
            raise ScheduleNotFoundError(f"There is no reminder {reminder_id!r:.100} in this conversation.")
        await store.writer.run(schedules.remove, reminder_id)
        return "cancelled"

    return create_action_tool(handler=handler, name=name, description="Cancel a reminder.")


async def _pending(store: Store, ctx: ToolContext) -> list[Schedule]:
    found = await store.read(schedule_reads.listed, thread_id=ctx.thread_id)
    return [schedule for schedule in found if schedule.status != "over"]


def _reminder(what: str, trigger: Trigger, ctx: ToolContext) -> NewSchedule:
    """Return the schedule of a call; its id is derived from the call's, so that created twice it is one schedule."""
    return NewSchedule(
        id="sched_" + hashlib.sha256(ctx.idempotency_key.encode()).hexdigest()[:26],
        thread_id=ctx.thread_id,
        agent="",
        user_id=ctx.user_id,
        title=None,
        parts=prompt_parts(f"Reminder: {what}"),
        trigger=trigger,
        missed="run_once",
        max_runs=None,
        metadata={},
    )


def _trigger(
    in_minutes: float | None, at_time: str | None, repeat: str | None, timezone: str, now: float
) -> Trigger:
    if sum(given is not None for given in (in_minutes, at_time, repeat)) != 1:
        raise ValidationError("Pass exactly one of in_minutes, at_time and repeat.")
    if at_time is not None:
        return at(at_time, timezone)
    if repeat is not None:
        return cron(repeat, timezone)
    return at(as_datetime(now + every(minutes=in_minutes or 0).seconds))


def _as_json(schedule: Schedule) -> dict[str, Any]:
    next_at = schedule.next_at.isoformat() if schedule.next_at else None
    shown = {"id": schedule.id, "next_at": next_at, "what": schedule.prompt.removeprefix("Reminder: ")}
    trigger = schedule.trigger.to_dict()
    return shown | ({"repeat": trigger["expression"]} if trigger["type"] == "cron" else {})
