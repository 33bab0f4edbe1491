"""Define what a process publishes about the work it runs, for metrics and traces.

An event is published when an attempt ends, in the process that made it, and nowhere else: it may be lost with
the process. Times are seconds since the epoch. No event contains what people or models wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent_core.domain.model_adapter import Usage

StepOutcome = Literal["committed", "retried", "failed", "sealed", "cancelled"]
ToolOutcome = Literal["succeeded", "handed_over", "retried", "failed", "in_doubt", "sealed", "cancelled"]


@dataclass(frozen=True, slots=True)
class StepEnded:
    """An attempt at a model step has ended.

    Attributes:
        message_id: the reply of the turn, the same for all of its steps and tools.
        model: the name of the model; "" if no request was made.
        outcome: "committed"; "retried": another attempt follows; "failed": the turn failed; "sealed": the
            turn failed because the step has killed its processes; "cancelled": a person stopped it, or its
            worker closes.
        error: the kind of a `ModelError`, else the class of the exception; None if it is committed.
        recovered: whether the worker of the attempt before this one is gone.
    """

    thread_id: str
    message_id: str
    seq: int
    agent: str
    model: str
    attempt: int
    started_at: float
    ended_at: float
    outcome: StepOutcome
    usage: Usage | None = None
    finish_reason: str | None = None
    error: str | None = None
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """An attempt at a tool call has ended.

    Attributes:
        message_id: the reply of the turn.
        outcome: "succeeded"; "handed_over": an async tool waits for its outcome; "retried": another attempt
            follows; "failed"; "in_doubt": its process died and it may not run again; "sealed": it has killed
            its processes; "cancelled": a person stopped the thread, or the worker closes.
        error: the class of the exception; None if it has not failed here.
    """

    thread_id: str
    message_id: str
    tool_call_id: str
    name: str
    agent: str
    attempt: int
    started_at: float
    ended_at: float
    outcome: ToolOutcome
    error: str | None = None
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn has ended: its thread is completed, failed or stopped."""

    thread_id: str
    agent: str
    status: str


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The wake-ups of a worker that is gone were released: all of them, and those whose code ran."""

    worker: str
    wake_ups: int
    ran: int


RunEvent = StepEnded | ToolEnded | TurnEnded | WorkerLost
