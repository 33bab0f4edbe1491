"""What waits for a person, across threads: approvals, and async calls whose outcome has not come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlmodel import Session

from agent_core.clock import as_datetime
from agent_core.states import OPEN_CALLS, CallStatus
from agent_core.store.rows import CALL, THREAD, load
from agent_core.store.statement import one_of

_c, _t = CALL.c, THREAD.c
_WAITING = (
    select(_c.thread_id, _t.title, _c.id, _c.name, _c.status, _c.input, _c.created_at)
    .join(THREAD, _t.id == _c.thread_id)
    .where(one_of(_c.status, OPEN_CALLS), one_of(_c.status, [CallStatus.APPROVAL, CallStatus.WAITING]))
    .order_by(_c.created_at, _c.thread_id, _c.position)
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A tool call that somebody must decide or answer.

    Attributes:
        kind: "approval" (`approve_tool_calls`, `deny_tool_calls`) or "outcome" (`add_tool_result`).
        title: the thread's.
        name: the tool's.
        since: when the model asked for the call.
    """

    kind: Literal["approval", "outcome"]
    thread_id: str
    title: str | None
    tool_call_id: str
    name: str
    input: dict[str, Any]
    since: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, the moment as an ISO 8601 string."""
        return {name: getattr(self, name) for name in self.__slots__} | {"since": self.since.isoformat()}


def waiting(session: Session, limit: int, user_id: str | None) -> list[Waiting]:
    """Return up to `limit` calls that wait, the longest wait first; with a `user_id` only in their threads."""
    statement = _WAITING.limit(limit)
    if user_id is not None:
        statement = statement.where(_t.user_id == user_id)
    return [
        Waiting(
            "approval" if status == CallStatus.APPROVAL else "outcome",
            thread_id,
            title,
            call_id,
            name,
            load(given),
            as_datetime(created_at),
        )
        for thread_id, title, call_id, name, status, given, created_at in session.connection().execute(
            statement
        )
    ]
