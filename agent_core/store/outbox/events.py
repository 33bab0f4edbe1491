"""Write events, and claim and settle their deliveries.

A thread's events are delivered one after the other under its wake-up `outbox:<thread>`. Whoever writes an event, and
whoever ends the deliveries of a thread, locks the wake-up first, so no event is left without one. `attempts` is the
fence of a delivery.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, insert, select, update

from agent_core.domain.events.outbox_events import EventType
from agent_core.domain.wake_ups.wake_up_key import outbox_key
from agent_core.sentences import sentence
from agent_core.store.database.sql import OUTBOX_EVENT, THREAD, WAKE_UP, P, Statement, dump, dump_info, load
from agent_core.store.database.transaction import Tx
from agent_core.support.faults import crash_point
from agent_core.support.ids import new_id

_DEATHS = 3
"""Number of deliveries beyond the policy's attempts after which an event whose deliveries never ended is given up."""

_e, _w = OUTBOX_EVENT.c, WAKE_UP.c
_columns = {name: P(name) for name in ("key", "type", "thread_id", "data", "created_at")}
_of_thread = {
    name: select(THREAD.c[name]).where(THREAD.c.id == P("thread_id")) for name in ("agent", "user_id")
}
_INSERT = Statement(
    insert(OUTBOX_EVENT).values(
        **_columns,
        agent=func.coalesce(_of_thread["agent"].scalar_subquery(), ""),
        user_id=_of_thread["user_id"].scalar_subquery(),
    )
)
_HOLD = Statement(select(_w.id).where(_w.id == P("wake_up"), _w.worker == P("by")).with_for_update())
_NEXT = Statement(
    select(_e.id, _e.key, _e.type, _e.thread_id, _e.agent, _e.user_id, _e.data, _e.created_at, _e.attempts)
    .where(_e.thread_id == P("thread_id"), _e.dead_at.is_(None))
    .order_by(_e.id)
    .limit(1)
)
_this = _e.id == P("event")
_CLAIM = Statement(update(OUTBOX_EVENT).where(_this).values(attempts=_e.attempts + 1))
_fenced = _this, _e.attempts == P("at_attempt"), _e.dead_at.is_(None)
_DELETE = Statement(delete(OUTBOX_EVENT).where(*_fenced))
_FAIL = Statement(
    update(OUTBOX_EVENT)
    .where(*_fenced)
    .values(error=P("new_error"), error_info=P("new_info"), dead_at=P("new_dead"))
)
_UNDELIVERED = Statement(
    select(_e.thread_id)
    .where(_e.dead_at.is_(None), ~exists(select(_w.id).where(_w.id == "outbox:" + _e.thread_id)))
    .distinct()
)


class Delivery(NamedTuple):
    """The right to deliver an event, valid as long as the event has the same `attempts`."""

    id: int
    key: str
    type: str
    thread_id: str
    agent: str
    user_id: str | None
    data: dict[str, Any]
    created_at: float
    attempts: int


def write(tx: Tx, kind: EventType, thread_id: str, data: dict[str, Any]) -> None:
    """Write an event of a thread, whose row is locked, with the wake-up of its delivery."""
    values = {"key": new_id("event"), "type": kind.value, "thread_id": thread_id, "data": dump(data)}
    tx.do(_INSERT, **values, created_at=tx.now)
    tx.wake.ensure(tx, outbox_key(thread_id))


def claim(tx: Tx, thread_id: str, by: str, max_attempts: int) -> Delivery | None:
    """Claim the next event of a thread for the worker `by`.

    Returns:
        None: there is none, so the wake-up is deleted; or the worker has lost the lease of the wake-up.
    """
    key = outbox_key(thread_id)
    if tx.one(_HOLD, wake_up=str(key), by=by) is None:
        return None
    # A statement after the lock: it sees what the transactions that held the lock have written.
    while (row := tx.one(_NEXT, thread_id=thread_id)) is not None:
        found = Delivery(*row)
        if found.attempts >= max_attempts + _DEATHS:
            _end(tx, found, sentence("delivery_process_ended", count=found.attempts), tx.now)
            continue
        tx.do(_CLAIM, event=found.id)
        crash_point("outbox.claim.inside")
        return found._replace(data=load(row[6]), attempts=found.attempts + 1)
    tx.wake.done(tx, key)
    return None


def delivered(tx: Tx, delivery: Delivery, by: str, max_attempts: int) -> Delivery | None:
    """Delete a delivered event, and claim the next one; see `claim`."""
    tx.do(_DELETE, event=delivery.id, at_attempt=delivery.attempts)
    crash_point("outbox.delivered.inside")
    return claim(tx, delivery.thread_id, by, max_attempts)


def failed(
    tx: Tx, delivery: Delivery, by: str, max_attempts: int, error: str, delay: float | None
) -> Delivery | None:
    """Note a failed delivery, and retry it after `delay` seconds; without a delay it becomes a dead letter.

    Returns:
        the next event, if this one is a dead letter; see `claim`.
    """
    if delay is None:
        _end(tx, delivery, error, tx.now)
        return claim(tx, delivery.thread_id, by, max_attempts)
    key = outbox_key(delivery.thread_id)
    if _end(tx, delivery, error, None) and tx.one(_HOLD, wake_up=str(key), by=by) is not None:
        tx.wake.enqueue(tx, key, tx.now + delay)
    return None


def _end(tx: Tx, delivery: Delivery, error: str, dead_at: float | None) -> bool:
    """End a delivery with an error; return False if another worker has claimed the event since."""
    values = {"new_error": error, "new_info": dump_info(error), "new_dead": dead_at}
    return tx.run(_FAIL, event=delivery.id, at_attempt=delivery.attempts, **values) > 0


def repair(tx: Tx) -> int:
    """Write the missing wake-ups of events; return how many.

    A version from before the outbox deletes them when it stops a thread.
    """
    missing = tx.all(_UNDELIVERED)
    for (thread_id,) in missing:
        tx.wake.ensure(tx, outbox_key(thread_id))
    return len(missing)
