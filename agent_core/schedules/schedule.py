"""A schedule, as a value, and which of its runs are due."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from agent_core.domain.messages import Part, text_of
from agent_core.schedules.triggers import Every, Trigger

Missed = Literal["run_once", "skip"]
"""What becomes of runs that nobody was there for: all of them are one late run, or none."""

LATE = 60.0
"""Seconds after which a run counts as missed, where missed runs are skipped."""

MAX_COUNTED = 1000
"""The most missed runs of a cron expression that are counted one by one."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A prompt that is sent by itself, once or again and again.

    Attributes:
        thread_id: where it is sent; None: each run makes a thread of its own.
        agent: the agent of the threads it makes.
        user_id: whose it is, and whose threads it makes.
        title: what it is called, and the title of the threads it makes.
        parts: the prompt.
        trigger: when it comes due.
        missed: "run_once" or "skip".
        max_runs: after how many runs it is over; None: never.
        next_at: when it comes due next; None once it is over.
        last_at: when the newest run was due, or was asked for.
        last_thread_id: where the newest run was sent.
        runs: how many there were.
        missed_runs: how many nobody was there for.
        paused: it keeps its place and runs nothing.
        error: why it is over before its time, or waits.
        metadata: of each message it sends, together with {"schedule": id}.
        error_info: code and params of `error` where it is a sentence of ours, as `AgentCoreError` has them.
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
        """What the prompt says in words."""
        return text_of(self.parts)

    @property
    def status(self) -> str:
        """Whether it is "active", "paused" or "over"."""
        return "over" if self.next_at is None else "paused" if self.paused else "active"

    def to_dict(self) -> dict[str, Any]:
        """Return the schedule as plain JSON, moments as ISO 8601 strings."""
        moments = {"next_at": self.next_at, "last_at": self.last_at, "created_at": self.created_at}
        names = ("id", "thread_id", "agent", "user_id", "title", "parts", "missed", "max_runs", "runs")
        more = ("missed_runs", "last_thread_id", "paused", "status", "error", "error_info", "metadata")
        return {
            **{name: getattr(self, name) for name in names + more},
            **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
            "trigger": self.trigger.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """A run that a schedule has had, as far as what it sent is still there.

    Attributes:
        thread_id: where it was sent.
        message_id: the message that it sent.
        due_at: when it was due, or was asked for.
        sent_at: when it was sent.
        queued: it waits until the thread's turn ends.
    """

    thread_id: str
    message_id: str
    due_at: datetime
    sent_at: datetime
    queued: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain JSON, moments as ISO 8601 strings."""
        moments = {"due_at": self.due_at.isoformat(), "sent_at": self.sent_at.isoformat()}
        return {"thread_id": self.thread_id, "message_id": self.message_id, **moments, "queued": self.queued}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about a schedule that has come due.

    Attributes:
        fire_at: the run to do now, by the moment for which it was due; None: none.
        next_at: when it comes due next; None: never again.
        missed: how many runs nobody was there for.
    """

    fire_at: float | None
    next_at: float | None
    missed: int


def plan(trigger: Trigger, next_at: float, now: float, missed: Missed) -> Plan:
    """Say what a schedule that came due at `next_at` is to do at `now` (seconds since the epoch)."""
    fire_at: float | None = next_at
    if missed == "skip" and next_at < now - LATE:
        fire_at = trigger.next_after(now - LATE)
        if fire_at is not None and fire_at > now:
            fire_at = None
    due = 1 + _count(trigger, next_at, now)
    return Plan(fire_at, trigger.next_after(now), due - (fire_at is not None))


def _count(trigger: Trigger, after: float, until: float) -> int:
    """Count the moments after `after` (which is one) up to `until`."""
    if isinstance(trigger, Every):
        return int((until - after) // trigger.seconds)
    count, moment = 0, trigger.next_after(after)
    while moment is not None and moment <= until and count < MAX_COUNTED:
        count, moment = count + 1, trigger.next_after(moment)
    return count
