"""Define the events of the outbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent_core.support.plain_json import JsonValue, as_json


class EventType(StrEnum):
    """Type of an event."""

    STATUS_CHANGED = "thread.status_changed"
    TURN_COMPLETED = "turn.completed"
    USAGE_RECORDED = "usage.recorded"
    THREAD_DELETED = "thread.deleted"


EVENT_TYPES = frozenset(kind.value for kind in EventType)


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event that is delivered at least once.

    Attributes:
        id: the same in every delivery of the event, so that a receiver can ignore a repetition.
        type: one of `EVENT_TYPES`.
        created_at: when the transaction began that wrote the event.
        thread_id: the thread; its events are delivered in the order in which they were written.
        agent: the name of the thread's agent.
        user_id: the owner of the thread, or None.
        data: what happened, as plain JSON; see docs/how-to/webhooks.md.
        attempt: number of this delivery, from 1.
    """

    id: str
    type: str
    created_at: datetime
    thread_id: str
    agent: str
    user_id: str | None
    data: dict[str, Any]
    attempt: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the payload of a webhook: type, timestamp and data, as Standard Webhooks recommends."""
        about = {"thread_id": self.thread_id, "agent": self.agent, "user_id": self.user_id}
        return {
            "type": self.type,
            "timestamp": self.created_at.isoformat(),
            "data": about | as_json(self.data),
        }


@dataclass(frozen=True, slots=True)
class DeadLetter(JsonValue):
    """An event that is no longer delivered, until a person redelivers or discards it.

    Attributes:
        id, type, created_at, thread_id, agent, user_id: those of the event; see `OutboxEvent`.
        attempts: number of failed deliveries.
        dead_at: when the last of them failed.
        error: why it failed.
        error_info: code and params of `error`, as in `AgentCoreError`, if it is a sentence of this library.
        data: what happened; a turn's message and usage are read only when the event is delivered.
    """

    id: str
    type: str
    created_at: datetime
    thread_id: str
    agent: str
    user_id: str | None
    attempts: int
    dead_at: datetime
    error: str
    error_info: dict[str, Any] | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class OutboxStatus(JsonValue):
    """State of a database's outbox.

    Attributes:
        events: types of the events that are written, sorted; empty if the outbox is off.
        pending: number of events that wait for their delivery.
        oldest_at: when the oldest of them was written, or None.
        dead: number of dead letters.
    """

    events: tuple[str, ...]
    pending: int
    oldest_at: datetime | None
    dead: int
