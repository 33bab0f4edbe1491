"""Delete threads that have been idle for longer than they are kept."""

from __future__ import annotations

from sqlalchemy import exists, select

from agent_core.domain.states import IDLE
from agent_core.store.database.sql import SCHEDULE, THREAD, P, Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.turns import deletion

_MAX_THREADS = 20  # deleted in a transaction
_t = THREAD.c
_has_schedule = exists().where(SCHEDULE.c.thread_id == _t.id, SCHEDULE.c.next_at.is_not(None))
_EXPIRED = Statement(
    select(_t.id)
    .where(
        _t.agent == P("agent"),
        _t.updated_at < P("before"),
        _t.delete_at.is_(None),
        one_of(_t.status, IDLE),
        ~_t.pinned,
        ~_has_schedule,
    )
    .order_by(_t.updated_at)
    .limit(_MAX_THREADS)
    .with_for_update(skip_locked=True)  # another worker deletes it, or somebody uses it
)


def delete_expired(tx: Tx, agent: str, keep: float) -> int:
    """Delete some threads of an agent that have been idle for more than `keep` seconds; return how many.

    Kept are pinned threads, those to which a schedule still sends, and those that run or wait for somebody.
    """
    expired = tx.all(_EXPIRED, agent=agent, before=tx.now - keep)
    for (thread_id,) in expired:
        deletion.delete_thread(tx, thread_id)
    return len(expired)
