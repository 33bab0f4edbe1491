"""Append the visible changes of a thread as numbered rows, its deltas.

A delta is appended in the transaction of its change, so a reader that follows the cursor misses nothing and sees
nothing twice. Rows are never changed. When a turn begins, the deltas of the turn before the last are deleted; a
reader that is further behind gets a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from agent_core.domain.messages import Chunk
from agent_core.domain.states import IDLE
from agent_core.errors import ThreadNotFoundError
from agent_core.sentences import sentence
from agent_core.store.database.sql import DELTA, LIST_FEED, THREAD, P, Statement, dump, load, one_of
from agent_core.store.database.transaction import Tx

_t = THREAD.c
_TICK = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"))
    .values(cursor=_t.cursor + 1, updated_at=P("now"))
    .returning(_t.cursor)
)
_INSERT = Statement(
    insert(DELTA).values(
        {name: P(name) for name in ("thread_id", "cursor", "seq", "message_id", "chunks", "created_at")}
    )
)
_OF_STREAM = Statement(
    select(DELTA.c.chunks)
    .where(DELTA.c.thread_id == P("thread_id"), DELTA.c.seq == P("seq"))
    .order_by(DELTA.c.cursor)
)
_LAST_FLUSH = Statement(
    select(func.max(DELTA.c.created_at)).where(DELTA.c.thread_id == P("thread_id"), DELTA.c.seq == P("seq"))
)
_TRIM = Statement(delete(DELTA).where(DELTA.c.thread_id == P("thread_id"), DELTA.c.cursor <= P("cursor")))
_MAX_THREADS = 50  # of one transaction
_UNTIDY = Statement(
    select(_t.id, _t.cursor)
    .where(_t.trimmed_cursor < _t.cursor, _t.updated_at < P("before"), one_of(_t.status, IDLE))
    .order_by(_t.updated_at)
    .limit(P("most"))
)
_TRIMMED = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"))
    .values(trimmed_cursor=P("at_cursor"), turn_cursor=P("at_cursor"))
)


def append(
    tx: Tx, thread_id: str, cursor: int, chunks: list[Chunk], *, seq: int = 0, message_id: str | None = None
) -> None:
    """Write a delta at `cursor`, which the caller's UPDATE of the thread has returned."""
    tx.do(
        _INSERT,
        thread_id=thread_id,
        cursor=cursor,
        seq=seq,
        message_id=message_id,
        chunks=dump(chunks),
        created_at=tx.now,
    )
    tx.touched.add(thread_id)
    if any(chunk["type"] == "data-thread" for chunk in chunks):
        tx.touched.add(LIST_FEED)


def tick(tx: Tx, thread_id: str) -> int:
    """Take the thread's next cursor, and lock its row.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    return ask_tick(tx, thread_id)()


def ask_tick(tx: Tx, thread_id: str) -> Callable[[], int]:
    """Execute `tick` and return a function that returns the cursor."""
    ticked = tx.ask(_TICK, thread_id=thread_id, now=tx.now)

    def cursor() -> int:
        row = ticked()
        if row is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        (taken,) = row
        return taken

    return cursor


def of_stream(tx: Tx, thread_id: str, seq: int) -> list[Chunk]:
    """Return the flushed chunks of a stream, in order."""
    return [chunk for (chunks,) in tx.all(_OF_STREAM, thread_id=thread_id, seq=seq) for chunk in load(chunks)]


def last_flush(tx: Tx, thread_id: str, seq: int) -> float | None:
    """Return when a stream was last flushed; None if never."""
    (moment,) = tx.must(_LAST_FLUSH, thread_id=thread_id, seq=seq)
    return moment


def trim(tx: Tx, thread_id: str, cursor: int) -> None:
    """Delete the deltas up to `cursor`."""
    tx.do(_TRIM, thread_id=thread_id, cursor=cursor)


def tidy(tx: Tx, before: float) -> int:
    """Delete the deltas of threads that have been idle since `before`; return the number of threads."""
    rows = tx.all(_UNTIDY, before=before, most=_MAX_THREADS)
    for thread_id, cursor in rows:
        trim(tx, thread_id, cursor)
        tx.do(_TRIMMED, thread_id=thread_id, at_cursor=cursor)
    return len(rows)


def thread_chunk(**changed: Any) -> Chunk:
    """Build the chunk with the changed columns of the thread's row."""
    return {"type": "data-thread", "data": changed, "transient": True}
