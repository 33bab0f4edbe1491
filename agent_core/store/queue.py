"""The queue of a thread: messages sent while it ran, which wait until the turns before them have ended.

A queued message stands behind all others and has no place in the conversation yet: it gets its
position and its parent when its turn begins.
"""

from __future__ import annotations

from sqlalchemy import select, update

from agent_core.messages import Chunk
from agent_core.store import deltas
from agent_core.store.messages import NewMessage, insert_queued, message_before
from agent_core.store.rows import MESSAGE, P, load
from agent_core.store.statement import Statement
from agent_core.store.tx import Tx

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


def put(tx: Tx, thread_id: str, message: NewMessage) -> None:
    """Store a message that is answered when the turns before it have ended."""
    cursor = deltas.tick(tx, thread_id)
    deltas.append(tx, thread_id, cursor, [insert_queued(tx, thread_id, message, _BEHIND + cursor)])


def take(tx: Tx, thread_id: str, position: int, most: int = _EVERY) -> list[Chunk]:
    """Give the oldest queued messages the places after `position`; return what tells the readers."""
    chunks: list[Chunk] = []
    for message_id, parts, meta, created_at in tx.all(
        _QUEUED, thread_id=thread_id, after=position, most=most
    ):
        position += 1
        tx.do(_TAKE, thread_id=thread_id, message_id=message_id, new_position=position)
        message = NewMessage(message_id, "user", load(parts), load(meta))
        data = message.as_json(thread_id, created_at)
        chunks.append({"type": "data-message", "data": data, "transient": True})
    return chunks
