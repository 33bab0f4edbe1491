"""Write a title from a model, unless the thread was renamed meanwhile, and count its usage."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from agent_core.domain.usage import COUNTS
from agent_core.store.database.columns import STREAM, P, dump, load
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.threads.thread_row import change, lock

_s = STREAM.c
_mine = (_s.thread_id == P("thread_id"), _s.seq == P("at_seq"))
_USED = Statement(select(_s.usage).where(*_mine))
_ADD = Statement(update(STREAM).where(*_mine).values(usage=P("new_usage")))


def write(tx: Tx, thread_id: str, seq: int, was: str, title: str, used: dict[str, Any]) -> bool:
    """Set the title of a thread if it is still `was`; return whether it was set.

    Args:
        tx: the transaction.
        thread_id: the thread.
        seq: the model step to whose usage the request is added.
        was: the title that was cut from the first message.
        title: the new title; "" for none.
        used: tokens and cost of the request, by their names in the rows.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    at = lock(tx, thread_id)
    if used:
        _count(tx, thread_id, seq, used)
    if not title or at.title != was:
        return False
    change(tx, thread_id, title=title)
    return True


def _count(tx: Tx, thread_id: str, seq: int, used: dict[str, Any]) -> None:
    row = tx.one(_USED, thread_id=thread_id, at_seq=seq)
    if row is None:  # the stream was deleted
        return
    (usage,) = row
    before: dict[str, Any] = load(usage) or {}
    both = {name: _sum(before.get(name), used.get(name)) for name in (*COUNTS, "cost")}
    tx.do(_ADD, thread_id=thread_id, at_seq=seq, new_usage=dump({**before, **both}))


def _sum(one: Any, other: Any) -> Any:
    return one if other is None else (one or 0) + other
