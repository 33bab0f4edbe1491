"""Lock a thread's row, change what people may change, and delete it with everything that belongs to it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update

from agent_core.domain.states import RUNNING, ThreadStatus
from agent_core.domain.wake_up_key import schedule_key
from agent_core.errors import ThreadBusyError, ThreadNotFoundError
from agent_core.sentences import sentence
from agent_core.store.database.columns import (
    CALL,
    DELTA,
    FILE,
    LIST_FEED,
    MESSAGE,
    REFUSED_FILE,
    SCHEDULE,
    STREAM,
    THREAD,
    P,
    dump,
    idle_feed,
    load,
)
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import absent_agents, deltas, files
from agent_core.store.threads.share_token import SHARE, with_token, without_token

_t = THREAD.c
_LOCK = Statement(
    select(
        *(_t.status, _t.reply_position, _t.cursor, _t.turn_cursor, _t.reply_id, _t.title, _t.seq, _t.agent),
        _t.delete_at,
    )
    .where(_t.id == P("thread_id"))
    .with_for_update()
)
_DELETES = [
    Statement(delete(table).where(column == P("thread_id")))
    for table, column in [
        *((t, t.c.thread_id) for t in (DELTA, CALL, STREAM, MESSAGE, SCHEDULE, FILE, REFUSED_FILE)),
        (THREAD, _t.id),
    ]
]
_SCHEDULES = Statement(
    select(SCHEDULE.c.id)
    .where(SCHEDULE.c.thread_id == P("thread_id"))
    .order_by(SCHEDULE.c.id)
    .with_for_update()
)


class LockedThread(NamedTuple):
    """The columns of a locked thread; see `ThreadRow`."""

    status: ThreadStatus
    reply_position: int
    cursor: int
    turn_cursor: int
    reply_id: str | None
    title: str | None
    seq: int
    agent: str
    delete_at: float | None

    @property
    def running(self) -> bool:
        """Whether a turn is in progress."""
        return self.status in RUNNING


def lock(tx: Tx, thread_id: str, *, in_bin: bool = False) -> LockedThread:
    """Lock a thread's row and return it.

    Args:
        tx: the transaction.
        thread_id: the thread.
        in_bin: whether a thread in the bin is returned, too.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    row = tx.one(_LOCK, thread_id=thread_id)
    thread = None if row is None else LockedThread(*row)
    if thread is None or not (in_bin or thread.delete_at is None):
        raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
    return thread._replace(status=ThreadStatus(thread.status))


def remove(tx: Tx, thread_id: str, *, due: float = math.inf) -> None:
    """Delete a thread, running or not, with everything that belongs to it; with `due` only if it expires by then.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    schedules = tx.all(_SCHEDULES, thread_id=thread_id)  # first, in the order in which a schedule's run locks
    thread = lock(tx, thread_id, in_bin=True)
    if due < math.inf and (thread.delete_at is None or thread.delete_at > due):
        return  # it was restored meanwhile
    tx.wake.drop(tx, thread_id)
    for (schedule_id,) in schedules:
        tx.wake.done(tx, schedule_key(schedule_id), mine=False)
        files.let_go(tx, files.kept_by(schedule_id))
    for statement in _DELETES:
        tx.do(statement, thread_id=thread_id)
    tx.touched |= {thread_id, idle_feed(thread_id), LIST_FEED}


def change(tx: Tx, thread_id: str, **values: Any) -> None:
    """Set columns (title, pinned, archived, metadata, agent, share) and append the change as a delta.

    The thread keeps its place in the list.

    Raises:
        ThreadNotFoundError: there is no such thread.
        ThreadBusyError: the agent cannot change during a turn, whose calls are this agent's, unless the turn
            waits for an agent that no process knows.
    """
    thread = lock(tx, thread_id)
    changes_agent = values.get("agent", thread.agent) != thread.agent
    if thread.running and changes_agent and not absent_agents.is_awaited(tx, thread_id):
        raise ThreadBusyError(sentence("thread_busy_for_agent", thread=thread_id))
    columns = {name: value for name, value in values.items() if name != "metadata"}
    if "metadata" in values:
        columns["meta"] = dump(without_token(values["metadata"]))
    write = update(THREAD).where(_t.id == P("thread_id")).values(**columns, cursor=_t.cursor + 1)
    returned = Statement(write.returning(_t.cursor, _t.meta, _t.share))
    cursor, meta, token = tx.must(returned, thread_id=thread_id)
    changed = {name: value for name, value in values.items() if name != SHARE}
    if len(changed) < len(values) or "metadata" in values:
        changed["metadata"] = with_token(load(meta), token)
    deltas.append(tx, thread_id, cursor, [deltas.thread_chunk(**changed)])
