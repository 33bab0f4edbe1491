"""The thread's row as a whole: locked, changed by a person, deleted with all that belongs to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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
        *(_t.status, _t.position, _t.cursor, _t.turn_cursor, _t.message_id, _t.title, _t.seq, _t.agent),
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


@dataclass(frozen=True, slots=True)
class Standing:
    """A thread's row as a command finds it, its lock taken."""

    status: ThreadStatus
    position: int
    cursor: int
    turn_cursor: int
    message_id: str | None
    title: str | None
    seq: int
    agent: str
    delete_at: float | None = None

    @property
    def running(self) -> bool:
        """Whether a turn is under way."""
        return self.status in RUNNING


def lock(tx: Tx, thread_id: str, *, in_bin: bool = False) -> Standing:
    """Take the row's lock and return how the thread stands.

    Args:
        tx: the transaction.
        thread_id: the thread.
        in_bin: whether it may be in the bin; to everybody else it is gone.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    row = tx.one(_LOCK, thread_id=thread_id)
    if row is None or not (in_bin or row[-1] is None):
        raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
    return Standing(ThreadStatus(row[0]), *row[1:])


def remove(tx: Tx, thread_id: str, *, due: float = math.inf) -> None:
    """Delete a thread and all that belongs to it, running or not; with `due` only if it leaves the bin by then.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    schedules = tx.all(_SCHEDULES, thread_id=thread_id)  # first, as a schedule's run does
    at = lock(tx, thread_id, in_bin=True)
    if due < math.inf and (at.delete_at is None or at.delete_at > due):
        return  # it was brought back meanwhile
    tx.wake.drop(tx, thread_id)
    for (schedule_id,) in schedules:
        tx.wake.done(tx, schedule_key(schedule_id), mine=False)
        files.let_go(tx, files.kept_by(schedule_id))
    for statement in _DELETES:
        tx.do(statement, thread_id=thread_id)
    tx.touched |= {thread_id, idle_feed(thread_id), LIST_FEED}


def change(tx: Tx, thread_id: str, **values: Any) -> None:
    """Set what a person may set (title, pinned, archived, metadata, agent, share) and tell the readers.

    It is no activity: the thread keeps its place in the list.

    Raises:
        ThreadNotFoundError: there is no such thread.
        ThreadBusyError: the agent cannot change while a turn is under way, for its calls are this agent's;
            unless the turn waits for an agent that no process knows.
    """
    at = lock(tx, thread_id)
    changes_agent = values.get("agent", at.agent) != at.agent
    if at.running and changes_agent and not absent_agents.is_awaited(tx, thread_id):
        raise ThreadBusyError(sentence("thread_busy_for_agent", thread=thread_id))
    columns = {name: value for name, value in values.items() if name != "metadata"}
    if "metadata" in values:
        columns["meta"] = dump(without_token(values["metadata"]))
    write = update(THREAD).where(_t.id == P("thread_id")).values(**columns, cursor=_t.cursor + 1)
    returned = Statement(write.returning(_t.cursor, _t.meta, _t.share))
    cursor, meta, token = tx.must(returned, thread_id=thread_id)
    told = {name: value for name, value in values.items() if name != SHARE}
    if len(told) < len(values) or "metadata" in values:
        told["metadata"] = with_token(load(meta), token)
    deltas.append(tx, thread_id, cursor, [deltas.thread_chunk(**told)])
