"""Keep deleted threads in a bin for some seconds, in which they can be restored.

The row says when a thread is deleted for good (`delete_at`), and the reconciler of any worker does so, whatever
happens to a tab or a server. Until then the thread is stopped and hidden.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import select, update

from agent_core.errors import ThreadNotFoundError
from agent_core.store.database.sql import LIST_FEED, THREAD, P, Statement, idle_feed
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import thread_row
from agent_core.store.turns import deletion, turns

_MAX_THREADS = 20  # threads deleted in a transaction
_t = THREAD.c
_SET = Statement(update(THREAD).where(_t.id == P("thread_id")).values(delete_at=P("new_delete_at")))
_DUE = Statement(
    select(_t.id)
    .where(_t.delete_at.is_not(None), _t.delete_at <= P("now"))
    .order_by(_t.id)
    .limit(_MAX_THREADS)
)


def put(tx: Tx, thread_id: str, seconds: float) -> None:
    """Stop a thread and put it into the bin, to be deleted in `seconds`.

    Raises:
        ThreadNotFoundError: there is no such thread, or it is in the bin.
    """
    turns.stop(tx, thread_id)
    tx.do(_SET, thread_id=thread_id, new_delete_at=tx.now + seconds)
    tx.touched |= {thread_id, idle_feed(thread_id), LIST_FEED}


def take_back(tx: Tx, thread_id: str) -> None:
    """Take a thread out of the bin, if it is there.

    Raises:
        ThreadNotFoundError: the thread was deleted.
    """
    if thread_row.lock(tx, thread_id, in_bin=True).delete_at is not None:
        tx.do(_SET, thread_id=thread_id, new_delete_at=None)
        tx.touched |= {thread_id, LIST_FEED}


def empty(tx: Tx) -> int:
    """Delete the threads whose time in the bin is over; return how many."""
    due = tx.all(_DUE, now=tx.now)
    for (thread_id,) in due:
        with suppress(ThreadNotFoundError):  # another worker was faster
            deletion.delete_thread(tx, thread_id, due=tx.now)
    return len(due)
