"""The queue of a thread: messages sent while it ran, which wait until the turns before them have ended.

A queued message stands behind all others and has no place in the conversation yet: it gets its
position and its parent when its turn begins.
"""

from __future__ import annotations

from sqlalchemy import delete, select, update

from agent_core.domain.messages import Chunk
from agent_core.errors import ValidationError
from agent_core.store.database.columns import MESSAGE, P, load
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas
from agent_core.store.threads.messages import NewMessage, insert_queued, message_before

_BEHIND = 1_000_000_000  # behind every place that a turn can take; the cursor then keeps their order
_EVERY = 1_000_000

_m = MESSAGE.c
_of_thread = _m.thread_id == P("thread_id")
_QUEUED = Statement(
    select(_m.id, _m.parts, _m.meta, _m.created_at)
    .where(_of_thread, _m.branch == 0, _m.queued, _m.position > P("after"))
    .order_by(_m.position)
    .limit(P("most"))
)
_TAKE = Statement(
    update(MESSAGE)
    .where(_of_thread, _m.id == P("message_id"))
    .values(queued=False, position=P("new_position"), parent_id=message_before("new_position"))
)
_FIND = Statement(
    select(_m.parts, _m.meta, _m.created_at).where(
        _of_thread, _m.branch == 0, _m.queued, _m.id == P("message_id")
    )
)
_WITHDRAW = Statement(delete(MESSAGE).where(_of_thread, _m.id == P("message_id"), _m.queued))
WITHDRAWN = {"withdrawn": True}
"""The metadata with which readers are told that a message does not wait any more, and is gone."""


def put(tx: Tx, thread_id: str, message: NewMessage) -> None:
    """Store a message that is answered when the turns before it have ended."""
    cursor = deltas.tick(tx, thread_id)
    deltas.append(tx, thread_id, cursor, [insert_queued(tx, thread_id, message, _BEHIND + cursor)])


def take(tx: Tx, thread_id: str, position: int, most: int = _EVERY) -> list[Chunk]:
    """Give the oldest queued messages the places after `position`; return what tells the readers."""
    chunks: list[Chunk] = []
    for message_id, *row in tx.all(_QUEUED, thread_id=thread_id, after=position, most=most):
        position += 1
        message, created_at = _read(message_id, *row)
        chunks.append(_take(tx, thread_id, message, created_at, position))
    return chunks


def take_one(tx: Tx, thread_id: str, found: tuple[NewMessage, float], position: int) -> Chunk:
    """Give one queued message, as `find` found it, the place `position`, before those that came earlier."""
    return _take(tx, thread_id, *found, position)


def withdraw(tx: Tx, thread_id: str, message_id: str) -> tuple[NewMessage, float]:
    """Take a message out of the queue, as if it had never been sent; return it, and when it was stored.

    Its files stay the thread's, so that it can be sent again.

    Raises:
        ValidationError: it does not wait.
    """
    message, created_at = find(tx, thread_id, message_id)
    tx.do(_WITHDRAW, thread_id=thread_id, message_id=message_id)
    data = NewMessage(message_id, "user", [], WITHDRAWN).as_json(thread_id, created_at)
    chunk: Chunk = {"type": "data-message", "data": data, "transient": True}
    deltas.append(tx, thread_id, deltas.tick(tx, thread_id), [chunk])
    return message, created_at


def find(tx: Tx, thread_id: str, message_id: str) -> tuple[NewMessage, float]:
    """Return a message that waits, and when it was stored.

    Raises:
        ValidationError: it does not wait.
    """
    row = tx.one(_FIND, thread_id=thread_id, message_id=message_id)
    if row is None:
        raise ValidationError(
            f"The message {message_id!r:.60} does not wait in this thread: its turn has begun, or it was taken back."
        )
    return _read(message_id, *row)


def _read(message_id: str, parts: str, meta: str, created_at: float) -> tuple[NewMessage, float]:
    return NewMessage(message_id, "user", load(parts), load(meta)), created_at


def _take(tx: Tx, thread_id: str, message: NewMessage, created_at: float, position: int) -> Chunk:
    tx.do(_TAKE, thread_id=thread_id, message_id=message.id, new_position=position)
    return {"type": "data-message", "data": message.as_json(thread_id, created_at), "transient": True}
