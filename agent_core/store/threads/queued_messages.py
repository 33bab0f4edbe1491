"""Queue messages that are sent while a thread runs, until the turns before them have ended.

A queued message is behind all others and has no place in the conversation: it gets its position and its parent
when its turn begins.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import delete, select, update

from agent_core.domain.messages import Chunk
from agent_core.errors import ValidationError
from agent_core.store.database.sql import MESSAGE, P, Statement, load
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas
from agent_core.store.threads.messages import NewMessage, insert_queued, message_before

_BEHIND = 1_000_000_000  # behind every position of a turn; the cursor orders the queue
_ALL = 1_000_000

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
    select(_m.id, _m.parts, _m.meta, _m.created_at).where(
        _of_thread, _m.branch == 0, _m.queued, _m.id == P("message_id")
    )
)
_WITHDRAW = Statement(delete(MESSAGE).where(_of_thread, _m.id == P("message_id"), _m.queued))
_WITHDRAWN = {"withdrawn": True}
"""Metadata of a chunk, for readers: the queued message was withdrawn."""


class QueuedMessage(NamedTuple):
    """A queued message, and when it was stored, in seconds since the epoch."""

    message: NewMessage
    created_at: float


def put(tx: Tx, thread_id: str, message: NewMessage) -> None:
    """Store a message whose turn begins when those before it have ended."""
    cursor = deltas.tick(tx, thread_id)
    deltas.append(tx, thread_id, cursor, [insert_queued(tx, thread_id, message, _BEHIND + cursor)])


def take(tx: Tx, thread_id: str, position: int, most: int = _ALL) -> list[Chunk]:
    """Move the oldest queued messages to the positions after `position`; return the chunks for readers."""
    chunks: list[Chunk] = []
    for row in tx.all(_QUEUED, thread_id=thread_id, after=position, most=most):
        position += 1
        chunks.append(take_one(tx, thread_id, _read(*row), position))
    return chunks


def take_one(tx: Tx, thread_id: str, queued: QueuedMessage, position: int) -> Chunk:
    """Move a queued message to a position, before earlier ones in the queue; return the chunk for readers."""
    tx.do(_TAKE, thread_id=thread_id, message_id=queued.message.id, new_position=position)
    data = queued.message.as_json(thread_id, queued.created_at)
    return {"type": "data-message", "data": data, "transient": True}


def withdraw(tx: Tx, thread_id: str, message_id: str) -> QueuedMessage:
    """Delete a queued message and return it.

    The thread keeps its files, so that it can be sent again.

    Raises:
        ValidationError: the message is not queued.
    """
    queued = find(tx, thread_id, message_id)
    tx.do(_WITHDRAW, thread_id=thread_id, message_id=message_id)
    data = NewMessage(message_id, "user", [], _WITHDRAWN).as_json(thread_id, queued.created_at)
    chunk: Chunk = {"type": "data-message", "data": data, "transient": True}
    deltas.append(tx, thread_id, deltas.tick(tx, thread_id), [chunk])
    return queued


def find(tx: Tx, thread_id: str, message_id: str) -> QueuedMessage:
    """Return a queued message.

    Raises:
        ValidationError: the message is not queued.
    """
    row = tx.one(_FIND, thread_id=thread_id, message_id=message_id)
    if row is None:
        raise ValidationError(
            f"The message {message_id!r:.60} does not wait in this thread: its turn has begun, or it was taken back."
        )
    return _read(*row)


def _read(message_id: str, parts: str, meta: str, created_at: float) -> QueuedMessage:
    return QueuedMessage(NewMessage(message_id, "user", load(parts), load(meta)), created_at)
