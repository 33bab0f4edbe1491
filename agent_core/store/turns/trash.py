"""The bin: threads that are deleted, and can be brought back for a moment.

The row itself says when a thread is deleted for good (`delete_at`), so neither a closed tab nor a dead
server can lose that: the reconciler of any worker sees to it. Until then the thread is stopped, and to
everybody gone.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import select, update

from agent_core.errors import ThreadNotFoundError
from agent_core.store.database.columns import LIST_FEED, THREAD, P, idle_feed
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import threads
from agent_core.store.turns import turns

_MAX_THREADS = 20  # threads deleted in one transaction
_t = THREAD.c
_SET = Statement(update(THREAD).where(_t.id == P("thread_id")).values(delete_at=P("new_delete_at")))
_DUE = Statement(
    select(_t.id)
    .where(_t.delete_at.is_not(None), _t.delete_at <= P("now"))
    .order_by(_t.id)
    .limit(_MAX_THREADS)
)


def put(tx: Tx, thread_id: str, seconds: float) -> None:
    """Stop a thread and put it into the bin, to be deleted in so many seconds.

    Raises:
        ThreadNotFoundError: there is no such thread, or it is in the bin already.
    """
    turns.stop(tx, thread_id)
    tx.do(_SET, thread_id=thread_id, new_delete_at=tx.now + seconds)
    tx.touched |= {thread_id, idle_feed(thread_id), LIST_FEED}


def take_back(tx: Tx, thread_id: str) -> None:
    """Take a thread out of the bin; one that is not in it stays as it is.

    Raises:
        ThreadNotFoundError: it is deleted for good.
    """
    if threads.lock(tx, thread_id, in_bin=True).delete_at is not None:
        tx.do(_SET, thread_id=thread_id, new_delete_at=None)
        tx.touched |= {thread_id, LIST_FEED}


def empty(tx: Tx) -> int:
    """Delete what has been in the bin long enough; return how many threads that were."""
    due = tx.all(_DUE, now=tx.now)
    for (thread_id,) in due:
        with suppress(ThreadNotFoundError):  # another worker was faster
            threads.remove(tx, thread_id, due=tx.now)
    return len(due)
