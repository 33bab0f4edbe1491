"""Identify the work of a wake-up by a key."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class WakeUpKind(StrEnum):
    """Kind of work that a wake-up starts."""

    STEP = "step"
    TOOL = "tool"
    TIMEOUT = "timeout"
    SCHEDULE = "schedule"
    OUTBOX = "outbox"


class WakeUpKey(NamedTuple):
    """Key of a wake-up; its text is the id of the row.

    Attributes:
        kind: kind of the work.
        thread_id: the thread of the work; for a schedule, the id of the schedule.
        call_id: the tool call, for a tool or a timeout; else "".
    """

    kind: WakeUpKind
    thread_id: str
    call_id: str = ""

    def __str__(self) -> str:
        """Return the key as text, such as "step:thread_1" or "tool:thread_1:call_1"."""
        return (
            f"{self.kind}:{self.thread_id}:{self.call_id}"
            if self.call_id
            else f"{self.kind}:{self.thread_id}"
        )

    @classmethod
    def parse(cls, text: str) -> WakeUpKey:
        """Parse the text of a key; a call's id may contain colons, the other parts do not.

        Raises:
            ValueError: the text is not a key.
        """
        kind, thread_id, *call_id = text.split(":", 2)
        return cls(WakeUpKind(kind), thread_id, *call_id)


def step_key(thread_id: str) -> WakeUpKey:
    """Return the key of a thread's next model step."""
    return WakeUpKey(WakeUpKind.STEP, thread_id)


def tool_key(thread_id: str, call_id: str) -> WakeUpKey:
    """Return the key of one tool call."""
    return WakeUpKey(WakeUpKind.TOOL, thread_id, call_id)


def timeout_key(thread_id: str, call_id: str) -> WakeUpKey:
    """Return the key of the timeout of an async tool call."""
    return WakeUpKey(WakeUpKind.TIMEOUT, thread_id, call_id)


def schedule_key(schedule_id: str) -> WakeUpKey:
    """Return the key of a schedule's next run."""
    return WakeUpKey(WakeUpKind.SCHEDULE, schedule_id)


def outbox_key(thread_id: str) -> WakeUpKey:
    """Return the key of the delivery of a thread's events."""
    return WakeUpKey(WakeUpKind.OUTBOX, thread_id)
