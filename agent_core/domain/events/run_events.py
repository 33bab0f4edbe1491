"""Define what a process publishes about the work it runs, for metrics and traces.

An event is published when an attempt ends, in the process that made it, and nowhere else: it may be lost with
the process. Times are seconds since the epoch. Only `content` has what people or models wrote: an observer
that was not explicitly asked to record it leaves it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from agent_core.domain.messages import Part
from agent_core.domain.model_adapter import Usage

StepOutcome = Literal["committed", "retried", "failed", "sealed", "cancelled"]
ToolOutcome = Literal["succeeded", "handed_over", "retried", "failed", "in_doubt", "sealed", "cancelled"]


class TurnStart(NamedTuple):
    """The start of a turn, or of a turn that is resumed: it has the same reply and a greater `cursor`.

    Attributes:
        message_id: the reply.
        cursor: the thread's cursor when the turn started.
        started_at: when; None: the turn was started by a version before 0023 of the schema.
        trace: the trace context of the sender, in the form of the `Tracing` that has written it.
    """

    thread_id: str
    message_id: str
    cursor: int
    started_at: float | None
    trace: str | None


class Tracing(Protocol):
    """Protocol of what connects the work of this process to traces; see `agent_core.monitoring.tracing`."""

    def sender(self) -> str | None:
        """Return the trace context of the calling code, to be stored with the turn that it starts."""
        ...

    def executing(self, turn: TurnStart, work: str) -> AbstractContextManager[None]:
        """Return a context manager that makes the span of `work` ("model:3", "tool:call_1:2") the current one."""
        ...


class StepContent(NamedTuple):
    """Request to a model, in the provider's form, and its answer."""

    messages: Sequence[dict[str, Any]]
    parts: Sequence[Part]


class ToolContent(NamedTuple):
    """The arguments of a tool call, and its result as JSON; None: there is none."""

    arguments: dict[str, Any]
    result: str | None


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
        words: the error message, as in the log.
        metadata: the provider's data about the answer, by provider, as in `StepResult`.
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
    words: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    turn: TurnStart | None = None
    content: StepContent | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _OfToolCall:
    """Event of a tool call.

    Attributes:
        message_id: the reply of the turn.
        attempt, started_at, ended_at: of the attempt; times in seconds since the epoch.
    """

    thread_id: str
    message_id: str
    tool_call_id: str
    name: str
    agent: str
    attempt: int
    started_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class ToolEnded(_OfToolCall):
    """An attempt at a tool call has ended.

    Attributes:
        message_id: the reply of the turn.
        outcome: "succeeded"; "handed_over": an async tool waits for its outcome; "retried": another attempt
            follows; "failed"; "in_doubt": its process died and it may not run again; "sealed": it has killed
            its processes; "cancelled": a person stopped the thread, or the worker closes.
        error: the class of the exception; None if it has not failed here.
        words: the error message, as in the log.
    """

    outcome: ToolOutcome
    error: str | None = None
    recovered: bool = False
    words: str | None = None
    turn: TurnStart | None = None
    content: ToolContent | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OutcomeReceived(_OfToolCall):
    """A tool call got its outcome while none of its attempts ran to the end: from outside, or by a stop.

    Attributes:
        attempt, started_at: of the attempt that has handed the call over.
        error: "stopped", or another `EndReason`; None: it has a result.
        words: the error message for the model.
    """

    error: str | None = None
    words: str | None = None
    turn: TurnStart | None = None
    content: ToolContent | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn has ended: its thread is completed, failed or stopped.

    Attributes:
        ended_at: when, in seconds since the epoch.
        error: the kind of a `ModelError`, else the class of the exception; None if the turn has not failed.
        words: the error message for people.
    """

    thread_id: str
    agent: str
    status: str
    ended_at: float = 0.0
    turn: TurnStart | None = None
    error: str | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """A turn that a limit or a budget had paused goes on, or was stopped.

    Attributes:
        message_id: the reply of the turn.
        kind: "limit" or "budget".
        started_at, ended_at: in seconds since the epoch.
        stopped: whether the turn was stopped in the pause.
    """

    thread_id: str
    message_id: str
    agent: str
    kind: str
    started_at: float
    ended_at: float
    stopped: bool
    turn: TurnStart | None = None


@dataclass(frozen=True, slots=True)
class TitleEnded:
    """A request for the title of a thread has ended.

    Attributes:
        message_id, seq: the reply and the step after which the title was asked for.
        started_at, ended_at: in seconds since the epoch.
        error: the kind of a `ModelError`, or the class of the exception; None: the model has answered.
    """

    thread_id: str
    message_id: str
    seq: int
    agent: str
    model: str
    started_at: float
    ended_at: float
    usage: Usage | None = None
    error: str | None = None
    words: str | None = None
    turn: TurnStart | None = None


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The wake-ups of a worker that is gone were released: all of them, and those whose code ran."""

    worker: str
    wake_ups: int
    ran: int


RunEvent = StepEnded | ToolEnded | OutcomeReceived | TurnEnded | PauseEnded | TitleEnded | WorkerLost
