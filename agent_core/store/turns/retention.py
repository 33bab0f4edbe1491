"""Delete threads that have been idle for longer than they are kept."""

from __future__ import annotations

import math

from sqlalchemy import case, func, select
from sqlmodel import Session

from agent_core.domain.reports import Expiry
from agent_core.domain.states import IDLE
from agent_core.store.database.sql import SCHEDULE, THREAD, P, Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.turns import deletion

_MAX_THREADS = 20  # deleted in a transaction
_t = THREAD.c
# Read once: an index by thread would be read for each thread, and has all schedules without one at one place.
_scheduled = select(SCHEDULE.c.thread_id).where(
    SCHEDULE.c.thread_id.is_not(None), SCHEDULE.c.next_at.is_not(None)
)
_may_expire = (
    _t.agent == P("agent"),
    _t.delete_at.is_(None),
    one_of(_t.status, IDLE),
    ~_t.pinned,
    _t.id.not_in(_scheduled),
)
_EXPIRED = Statement(
    select(_t.id)
    .where(_t.updated_at < P("before"), *_may_expire)
    .order_by(_t.updated_at)
    .limit(_MAX_THREADS)
    .with_for_update(skip_locked=True)  # another worker deletes it, or somebody uses it
)


_NUMBERS = select(func.count(), func.sum(case((_t.updated_at < P("due"), 1), else_=0))).where(
    _t.updated_at < P("soon"), *_may_expire
)


def expiry(session: Session, agent: str, keep: float | None, now: float, ahead: float) -> Expiry:
    """Return how many threads of an agent expire now, and within `ahead` seconds unless they are used."""
    if keep is None or math.isinf(keep):
        return Expiry(agent, None, 0, 0)
    given = {"agent": agent, "due": now - keep, "soon": now + ahead - keep}
    soon, due = session.connection().execute(_NUMBERS, given).one()
    return Expiry(agent, keep, due or 0, soon)


def delete_expired(tx: Tx, agent: str, keep: float) -> int:
    """Delete some threads of an agent that have been idle for more than `keep` seconds; return how many.

    Kept are pinned threads, those to which a schedule still sends, and those that run or wait for somebody.
    """
    expired = tx.all(_EXPIRED, agent=agent, before=tx.now - keep)
    for (thread_id,) in expired:
        deletion.delete_thread(tx, thread_id)
    return len(expired)
