"""Delete a thread, with everything that belongs to it."""

from __future__ import annotations

import math

from sqlalchemy import delete, select

from agent_core.domain.end_reasons import STOPPED
from agent_core.domain.events.outbox_events import EventType
from agent_core.domain.wake_ups.wake_up_key import schedule_key
from agent_core.store.database.sql import (
    ADMISSION,
    BUDGET,
    CALL,
    COUNTER,
    DELTA,
    FILE,
    LIST_FEED,
    MESSAGE,
    REFUSED_FILE,
    SCHEDULE,
    STREAM,
    THREAD,
    P,
    Statement,
    idle_feed,
)
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import files, search_index, thread_row, usage_totals
from agent_core.store.turns import streams

_t = THREAD.c
_DELETES = [
    Statement(delete(table).where(column == P("thread_id")))
    for table, column in [
        *((t, t.c.thread_id) for t in (DELTA, CALL, STREAM, MESSAGE, SCHEDULE, FILE, REFUSED_FILE)),
        (THREAD, _t.id),
    ]
]
_OF_LIMITS = [
    # What an ended step has used still counts for its user and its agent.
    Statement(
        delete(ADMISSION).where(ADMISSION.c.thread_id == P("thread_id"), ADMISSION.c.status != "ended")
    ),
    *(
        Statement(delete(table).where(table.c.kind == "thread", table.c.name == P("thread_id")))
        for table in (BUDGET, COUNTER)
    ),
]
_SCHEDULES = Statement(
    select(SCHEDULE.c.id)
    .where(SCHEDULE.c.thread_id == P("thread_id"))
    .order_by(SCHEDULE.c.id)
    .with_for_update()
)


def delete_thread(tx: Tx, thread_id: str, *, due: float = math.inf) -> None:
    """Delete a thread, running or not, with everything that belongs to it; with `due` only if it expires by then.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    schedules = tx.all(_SCHEDULES, thread_id=thread_id)  # first, in the order in which a schedule's run locks
    thread = thread_row.lock(tx, thread_id, in_bin=True)
    if due < math.inf and (thread.delete_at is None or thread.delete_at > due):
        return  # it was restored meanwhile
    tx.wake.drop(tx, thread_id)
    for (schedule_id,) in schedules:
        tx.wake.done(tx, schedule_key(schedule_id), mine=False)
        files.delete_all(tx, files.kept_by(schedule_id))
    # An attempt that is under way counts as a stopped one does.
    streams.cut(tx, thread_id, thread.seq, thread.reply_position, STOPPED)
    usage_totals.count(tx, thread_id, deleted=True)
    search_index.remove(tx, thread_id)
    tx.emit(EventType.THREAD_DELETED, thread_id)  # reads the row
    for statement in (*_DELETES, *_OF_LIMITS):
        tx.do(statement, thread_id=thread_id)
    tx.touched |= {thread_id, idle_feed(thread_id), LIST_FEED}
