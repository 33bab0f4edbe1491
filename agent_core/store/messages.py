"""Messages as rows: a person's with its parts, an assistant's as the place of its streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from agent_core.clock import as_datetime
from agent_core.messages import Chunk, Message, Part, Role
from agent_core.store.rows import MESSAGE, P, dump
from agent_core.store.statement import Statement
from agent_core.store.tx import Tx

_m = MESSAGE.c
_INSERT = Statement(
    insert(MESSAGE).values(
        {n: P(n) for n in ("thread_id", "id", "position", "role", "parts", "meta", "queued", "created_at")}
    )
)
_FIND = Statement(select(_m.id).where(_m.thread_id == P("thread_id"), _m.id == P("message_id")))


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message about to be stored; `parts` are validated already."""

    id: str
    role: Role
    parts: list[Part]
    metadata: dict[str, Any]

    def as_json(self, thread_id: str, created_at: float) -> dict[str, Any]:
        """Return the message as readers of the deltas get it."""
        return self.stored(thread_id, created_at).to_dict()

    def stored(self, thread_id: str, created_at: float) -> Message:
        """Return the message as it stands from `created_at` on."""
        when = as_datetime(created_at)
        return Message(self.id, thread_id, self.role, self.parts, when, self.metadata)


def has_message(tx: Tx, thread_id: str, message_id: str) -> bool:
    """Whether the thread has a message with this id."""
    return tx.one(_FIND, thread_id=thread_id, message_id=message_id) is not None


def insert_message(
    tx: Tx, thread_id: str, message: NewMessage, position: int, *, queued: bool = False
) -> Chunk:
    """Store a message at `position`; return the chunk that tells the readers."""
    meta = message.metadata | ({"queued": True} if queued else {})
    tx.run(
        _INSERT,
        thread_id=thread_id,
        id=message.id,
        position=position,
        role=message.role,
        parts=dump(message.parts),
        meta=dump(message.metadata),
        queued=queued,
        created_at=tx.now,
    )
    data = message.as_json(thread_id, tx.now) | {"metadata": meta}
    return {"type": "data-message", "data": data, "transient": True}


def ensure_reply(tx: Tx, thread_id: str, message_id: str, position: int) -> None:
    """Give the assistant's message its row, in the place kept for it, if it has none yet."""
    if not has_message(tx, thread_id, message_id):
        insert_message(tx, thread_id, NewMessage(message_id, "assistant", [], {}), position)


def title_of(message: NewMessage) -> str | None:
    """Return a title for the thread that begins with this message; None if it has no words."""
    words = " ".join(part.get("text", "") for part in message.parts if part["type"] == "text").split()
    line = " ".join(words)
    return (line if len(line) <= 60 else line[:59].rstrip() + "…") or None
