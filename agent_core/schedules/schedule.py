"""Define schedules as values, and plan their due runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from agent_core.domain.messages import Part, text_of
from agent_core.schedules.triggers import Every, Trigger
from agent_core.support.plain_json import JsonValue

Missed = Literal["run_once", "skip"]
"""Handling of missed runs: all of them become one late run, or all are skipped."""

LATE = 60.0
"""Seconds after which a run counts as missed, if missed runs are skipped."""

MAX_COUNTED = 1000
"""Maximum number of missed runs of a cron expression that are counted."""


@dataclass(frozen=True, slots=True)
class Schedule(JsonValue):
    """A prompt that is sent automatically, once or repeatedly.

    Attributes:
        thread_id: the thread that gets the prompt; None: each run creates a thread.
        agent: the agent of created threads.
        user_id: the owner of the schedule and of created threads.
        title: the title of the schedule and of created threads.
        parts: the prompt.
        trigger: when the schedule comes due.
        missed: "run_once" or "skip".
        max_runs: number of runs after which the schedule is over; None: no limit.
        next_at: when the schedule comes due next; None once it is over.
        last_at: when the newest run was due, or was requested.
        last_thread_id: the thread of the newest run.
        runs: number of runs.
        missed_runs: number of missed runs.
        paused: whether runs are suspended.
        error: why the schedule ended early, or is waiting.
        metadata: metadata of each sent message, in addition to {"schedule": id}.
        error_info: code and params of `error`, as in `AgentCoreError`, if it is an error message of this library.
    """

    id: str
    thread_id: str | None
    agent: str
    user_id: str | None
    title: str | None
    parts: list[Part]
    trigger: Trigger
    missed: Missed
    max_runs: int | None
    next_at: datetime | None
    last_at: datetime | None
    last_thread_id: str | None
    runs: int
    missed_runs: int
    paused: bool
    error: str | None
    created_at: datetime
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    error_info: dict[str, Any] | None = None

    @property
    def prompt(self) -> str:
        """The text of the prompt."""
        return text_of(self.parts)

    @property
    def status(self) -> str:
        """Status of the schedule: "active", "paused" or "over"."""
        return "over" if self.next_at is None else "paused" if self.paused else "active"

    def to_dict(self) -> dict[str, Any]:
        """Return the schedule, with its status, as plain JSON, moments as ISO 8601 strings."""
        return JsonValue.to_dict(self) | {"status": self.status}


@dataclass(frozen=True, slots=True)
class ScheduleReport(JsonValue):
    """A schedule, and how its newest run went.

    Attributes:
        schedule: the schedule.
        last_status: the status of the thread of its newest run; None if there is none.
        last_error: the error of that thread.
        last_error_info: code and params of `last_error`, as in `AgentCoreError`.
    """

    schedule: Schedule
    last_status: str | None
    last_error: str | None
    last_error_info: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ScheduleRun(JsonValue):
    """A past run of a schedule whose message still exists.

    Attributes:
        thread_id: the thread that got the message.
        message_id: the message.
        due_at: when the run was due, or was requested.
        sent_at: when the message was sent.
        queued: whether the message is queued until the thread's turn ends.
    """

    thread_id: str
    message_id: str
    due_at: datetime
    sent_at: datetime
    queued: bool = False


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Plan for a schedule that has come due.

    Attributes:
        fire_at: the moment for which the run of now was due; None: no run.
        next_at: when the schedule comes due next; None: never again.
        missed: number of missed runs.
    """

    fire_at: float | None
    next_at: float | None
    missed: int


def plan_runs(trigger: Trigger, next_at: float, now: float, missed: Missed) -> RunPlan:
    """Return the plan at `now` for a schedule that came due at `next_at` (both seconds since the epoch)."""
    fire_at: float | None = next_at
    if missed == "skip" and next_at < now - LATE:
        fire_at = trigger.next_after(now - LATE)
        if fire_at is not None and fire_at > now:
            fire_at = None
    due = 1 + _count(trigger, next_at, now)
    return RunPlan(fire_at, trigger.next_after(now), due - (fire_at is not None))


def _count(trigger: Trigger, after: float, until: float) -> int:
    """Count the moments after `after` (which is one) up to `until`."""
    if isinstance(trigger, Every):
        return int((until - after) // trigger.seconds)
    count, moment = 0, trigger.next_after(after)
    while moment is not None and moment <= until and count < MAX_COUNTED:
        count, moment = count + 1, trigger.next_after(moment)
    return count
