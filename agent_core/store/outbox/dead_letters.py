"""Report on the outbox, and redeliver or discard dead letters."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlmodel import Session

from agent_core.domain.events.outbox_events import DeadLetter
from agent_core.domain.wake_ups.wake_up_key import outbox_key
from agent_core.store.database.sql import OUTBOX_EVENT, P, Statement, load, load_info
from agent_core.store.database.transaction import Tx
from agent_core.support.clock import as_datetime

LIFETIME = 30 * 86_400.0
"""Seconds for which dead letters are kept."""

_MAX_REVIVED = 1_000  # dead letters that one transaction redelivers

_e = OUTBOX_EVENT.c
_dead = _e.dead_at.is_not(None)
_LIST = select(
    *(_e.id, _e.key, _e.type, _e.created_at, _e.thread_id, _e.agent, _e.user_id),
    *(_e.attempts, _e.dead_at, _e.error, _e.error_info, _e.data),
).where(_dead)
_OF_KEY = select(_e.id).where(_e.key == P("key"))
_COUNTS = select(_dead, func.count(), func.min(_e.created_at)).group_by(_dead)
_OLDEST = Statement(
    select(_e.key).where(_dead).order_by(_e.id).limit(_MAX_REVIVED).with_for_update(skip_locked=True)
)
_REVIVE = Statement(
    update(OUTBOX_EVENT)
    .where(_e.key == P("event"), _dead)
    .values(dead_at=None, attempts=0, error=None, error_info=None)
    .returning(_e.thread_id)
)
_DISCARD = Statement(delete(OUTBOX_EVENT).where(_e.key == P("event"), _dead))
_EXPIRE = Statement(delete(OUTBOX_EVENT).where(_e.dead_at <= P("before")))


class Counts(NamedTuple):
    """Number of pending events and of dead letters, and when the oldest pending event was written."""

    pending: int = 0
    oldest_at: float | None = None
    dead: int = 0


def counts(session: Session) -> Counts:
    """Return the numbers of events."""
    found = {bool(dead): (count, oldest) for dead, count, oldest in session.connection().execute(_COUNTS)}
    pending, oldest = found.get(False, (0, None))
    return Counts(pending, oldest, found.get(True, (0, None))[0])


def dead_letters(session: Session, limit: int, before: str | None) -> list[DeadLetter]:
    """Return dead letters, newest event first; with `before` only those that are older than this one."""
    wanted = _LIST.order_by(_e.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(_e.id < _OF_KEY.scalar_subquery())
    values = {} if before is None else {"key": before}
    return [
        DeadLetter(
            id=row.key,
            type=row.type,
            created_at=as_datetime(row.created_at),
            thread_id=row.thread_id,
            agent=row.agent,
            user_id=row.user_id,
            attempts=row.attempts,
            dead_at=as_datetime(row.dead_at),
            error=row.error or "",
            error_info=load_info(row.error, row.error_info),
            data=load(row.data),
        )
        for row in session.connection().execute(wanted, values)
    ]


def redeliver(tx: Tx, key: str) -> bool:
    """Let a dead letter wait for its delivery again, before later events; return False if there is none."""
    row = tx.one(_REVIVE, event=key)
    if row is None:
        return False
    tx.wake.ensure(tx, outbox_key(*row))
    return True


def redeliver_oldest(tx: Tx) -> int:
    """Redeliver the oldest thousand dead letters; return how many there were."""
    keys = [key for (key,) in tx.all(_OLDEST)]
    return sum(redeliver(tx, key) for key in keys)


def discard(tx: Tx, key: str) -> bool:
    """Delete a dead letter; return False if there is none."""
    return tx.run(_DISCARD, event=key) > 0


def expire(tx: Tx) -> int:
    """Delete the dead letters whose lifetime is over; return how many."""
    return tx.run(_EXPIRE, before=tx.now - LIFETIME)
