"""Define the spans of a thread's timeline: what ran, when, in which process, and how it ended.

A timeline is a flat list of spans, ordered by start; `parent` makes it a tree of turns, their model steps,
and the tool calls that a step requested. Spans are computed from durable rows, so every process reads the
same timeline, also after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agent_core.support.plain_json import JsonValue

SpanKind = Literal["turn", "model", "tool", "wait", "approval", "queued", "pause"]
SpanStatus = Literal[
    "running", "waiting", "ok", "retried", "failed", "stopped", "lost", "released", "in doubt", "denied"
]


@dataclass(frozen=True, slots=True)
class Span(JsonValue):
    """A period of work or waiting.

    Attributes:
        id: unique within the thread and always the same, such as "model:3" or "tool:call_1:2".
        kind: "turn" (a reply and all it took), "model" (an attempt at a model step), "tool" (an
            attempt at a tool call), "wait" (between two attempts), "approval" (for a person's yes),
            "queued" (due, without a worker) or "pause" (by a limit or a budget, which is its name).
        status: "running"; "waiting" for a moment, a worker, a person or another system; "ok";
            "retried" (failed, another attempt follows); "failed"; "stopped" by a person; "lost"
            (the process died); "released" (the server shut down and released the work); "in doubt" (the
            process died and the call may not run again); "denied".
        started_at: when the span started.
        ended_at: when the span ended; None: it is open. If the process died: the time of the model's last
            output, else of the takeover.
        name: the model or the tool; None if not known (yet).
        worker: the process that ran the attempt, as `Runtime.worker` names it.
        attempt: 1 for the first; 0 if nothing ran.
        recovered: whether the attempt took over from one whose process died.
        error: error message of the provider, the tool or this library.
        fingerprint: of the agent that ran a model step, as `Agent.fingerprint`; it changes with a deploy that
            changes the agent.
        error_info: code and params of `error`, as in `AgentCoreError`, if it is an error message of this library.
        end_reason: why the span ended without a result, as an `EndReason`; None: it is open or has a result.
        message_id: the assistant's message of the span.
        seq: the model step of the span.
        tool_call_id: the tool call, for tools and for waits for a tool.
        usage: tokens and cost of a model request, if the provider reported them; the total of a turn.
        until: when a wait ends.
        parent: the id of the enclosing span.
    """

    id: str
    kind: SpanKind
    status: SpanStatus
    started_at: datetime
    ended_at: datetime | None = None
    name: str | None = None
    worker: str | None = None
    attempt: int = 0
    recovered: bool = False
    error: str | None = None
    end_reason: str | None = None
    message_id: str | None = None
    seq: int = 0
    tool_call_id: str | None = None
    usage: dict[str, Any] | None = None
    until: datetime | None = None
    parent: str | None = None
    error_info: dict[str, Any] | None = None
    fingerprint: str | None = None

    @property
    def seconds(self) -> float | None:
        """Duration of the span; None while it is open."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()
