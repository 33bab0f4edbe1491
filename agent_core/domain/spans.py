"""The timeline of a thread: what ran, when, in which process, at which attempt, and how it ended.

A timeline is a flat list of spans in the order of their beginnings; `parent` makes it a tree of
turns, the model steps in them, and the tool calls that a step asked for. It is put together from
rows that are there anyway, so it tells the same after a kill, in another process, and next year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

SpanKind = Literal["turn", "model", "tool", "wait", "approval", "queued"]
SpanStatus = Literal[
    "running", "waiting", "ok", "retried", "failed", "stopped", "lost", "released", "in doubt", "denied"
]


@dataclass(frozen=True, slots=True)
class Span:
    """One thing that took time.

    Attributes:
        id: unique within the thread and always the same, such as "model:3" or "tool:call_1:2".
        kind: "turn" (a reply and all it took), "model" (an attempt at a model step), "tool" (an
            attempt at a tool call), "wait" (between two attempts), "approval" (for a person's yes)
            or "queued" (it could have begun and had no worker).
        status: "running"; "waiting" for a moment, a worker, a person or another system; "ok";
            "retried" (failed, another attempt follows); "failed"; "stopped" by a person; "lost"
            (its process died); "released" (its server closed and gave it back); "in doubt" (its
            process died and it may not run again); "denied".
        started_at: when it began.
        ended_at: when it ended; None: it has not. Of an attempt whose process died: the model's last
            words, else when somebody else took over.
        name: the model or the tool; None where it is not known (yet).
        worker: the process that ran it, as `Runtime.worker` names it.
        attempt: 1 for the first; 0 where nothing was ever run.
        recovered: it took over what the attempt before it lost with its process.
        error: why it ended, in the words of the provider, the tool or this library.
        error_info: code and params of `error` where it is a sentence of ours, as `AgentCoreError` has them.
        end_reason: why it ended without its result, as an `EndReason`; None: it has not, or has one.
        message_id: the assistant's message it belongs to.
        seq: the model step it belongs to.
        tool_call_id: for tools, and what waits for one.
        usage: tokens and cost of a model request, where the provider told them; of a turn, all.
        until: when a wait ends.
        parent: the id of the span in which it ran.
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

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it lasts."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()

    def to_dict(self) -> dict[str, Any]:
        """Return the span as plain JSON, moments as ISO 8601 strings."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()
        }
