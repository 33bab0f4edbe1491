"""Read the tool calls of all threads that wait for a person: approvals, and outcomes from outside."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import Session

from agent_core.domain.messages import Waiting
from agent_core.domain.states import OPEN_CALLS, CallStatus
from agent_core.store.database.columns import CALL, THREAD, load
from agent_core.store.database.statement import one_of
from agent_core.support.clock import as_datetime

_c, _t = CALL.c, THREAD.c
_WAITING = (
    select(_c.thread_id, _t.title, _c.id, _c.name, _c.status, _c.input, _c.created_at)
    .join(THREAD, _t.id == _c.thread_id)
    .where(one_of(_c.status, OPEN_CALLS), one_of(_c.status, [CallStatus.APPROVAL, CallStatus.WAITING]))
    .order_by(_c.created_at, _c.thread_id, _c.position)
)


def waiting(session: Session, limit: int, user_id: str | None) -> list[Waiting]:
    """Return up to `limit` waiting calls, the longest wait first; with a `user_id` only those of its threads."""
    statement = _WAITING.limit(limit)
    if user_id is not None:
        statement = statement.where(_t.user_id == user_id)
    return [
        Waiting(
            "approval" if row.status == CallStatus.APPROVAL else "outcome",
            row.thread_id,
            row.title,
            row.id,
            row.name,
            load(row.input),
            as_datetime(row.created_at),
        )
        for row in session.connection().execute(statement)
    ]
