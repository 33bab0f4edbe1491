"""Messages as rows: a person's with its parts, an assistant's as the place of its streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ScalarSelect, func, insert, literal, select

from agent_core.domain.messages import Chunk, Message, Part, Role
from agent_core.errors import DuplicateMessageError
from agent_core.sentences import sentence
from agent_core.store.database.sql import MESSAGE, P, Statement, dump
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import files
from agent_core.support.clock import as_datetime
from agent_core.text.plain_text import plain_line, strip_escapes

_m, _before = MESSAGE.c, MESSAGE.alias("before").c


def message_before(place: str) -> ScalarSelect[str]:
    """Build the id of the shown message before the position that is bound as `place`: the parent there."""
    return (
        select(_before.id)
        .where(
            _before.thread_id == P("thread_id"),
            _before.branch == 0,
            ~_before.queued,
            _before.position < P(place),
        )
        .order_by(_before.position.desc())
        .limit(1)
        .scalar_subquery()
    )


_values = {n: P(n) for n in ("thread_id", "id", "position", "role", "parts", "meta", "created_at")}
_INSERT = Statement(insert(MESSAGE).values(**_values, queued=False, parent_id=message_before("position")))
_INSERT_QUEUED = Statement(insert(MESSAGE).values(**_values, queued=True))
_FIND = Statement(select(_m.role).where(_m.thread_id == P("thread_id"), _m.id == P("message_id")))


# Forks copy messages with their ids, so no index can forbid that one stands in two threads.
_ELSEWHERE = Statement(
    select(_m.thread_id).where(_m.id == P("message_id"), _m.thread_id != P("thread_id")).limit(1)
)
_ALONE = Statement(
    select(literal(1)),  # on SQLite nobody else writes
    postgresql=select(func.pg_advisory_xact_lock(func.hashtextextended(P("message_id"), 0))),
)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message about to be stored.

    Attributes:
        parts: validated already.
        files: by the id of a file that it names, from whom its sender may take that; see `files.take`.
    """

    id: str
    role: Role
    parts: list[Part]
    metadata: dict[str, Any]
    files: Mapping[str, str] = field(default_factory=dict[str, str])

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


def is_sent(tx: Tx, thread_id: str, message_id: str, reply_id: str | None) -> bool:
    """Whether a person has sent the message already, so that sending it again changes nothing.

    Args:
        tx: the transaction.
        thread_id: the thread.
        message_id: the id that its sender gave the message.
        reply_id: of the reply to the newest turn, which has no row before its first words.

    Raises:
        DuplicateMessageError: it is the id of a message that no person has sent.
    """
    found = tx.one(_FIND, thread_id=thread_id, message_id=message_id)
    if message_id == reply_id or (found is not None and found[0] != "user"):
        raise DuplicateMessageError(sentence("message_exists", thread=thread_id, message=message_id))
    return found is not None


def refuse_elsewhere(tx: Tx, thread_id: str, message_id: str) -> None:
    """Make sure that a message that is new to its thread is new to all of them: its id is one message.

    Raises:
        DuplicateMessageError: it stands in another thread.
    """
    tx.all(_ALONE, message_id=message_id)  # two may send it at once, to two threads
    if tx.one(_ELSEWHERE, message_id=message_id, thread_id=thread_id) is not None:
        raise DuplicateMessageError(sentence("message_in_other_thread", message=message_id))


def insert_message(tx: Tx, thread_id: str, message: NewMessage, position: int) -> Chunk:
    """Store a message at `position` of the shown branch; return the chunk that tells the readers."""
    return _insert(tx, _INSERT, thread_id, message, position, message.metadata)


def insert_queued(tx: Tx, thread_id: str, message: NewMessage, position: int) -> Chunk:
    """Store a message that waits; return the chunk that tells the readers."""
    return _insert(tx, _INSERT_QUEUED, thread_id, message, position, message.metadata | {"queued": True})


def store_message(tx: Tx, thread_id: str, message: NewMessage, position: int, created_at: float) -> None:
    """Store a message as it was written at `created_at`; no reader is told, and its files stand there already."""
    tx.do(_INSERT, **_row(thread_id, message, position, created_at))


def _row(thread_id: str, message: NewMessage, position: int, created_at: float) -> dict[str, Any]:
    return {
        "thread_id": thread_id,
        "id": message.id,
        "position": position,
        "role": message.role,
        "parts": dump(message.parts),
        "meta": dump(message.metadata),
        "created_at": created_at,
    }


def _insert(
    tx: Tx, statement: Statement, thread_id: str, message: NewMessage, position: int, shown: dict[str, Any]
) -> Chunk:
    files.take(tx, thread_id, message.parts, message.files)
    tx.do(statement, **_row(thread_id, message, position, tx.now))
    data = message.as_json(thread_id, tx.now) | {"metadata": shown}
    return {"type": "data-message", "data": data, "transient": True}


def ensure_reply(tx: Tx, thread_id: str, message_id: str, position: int) -> None:
    """Give the assistant's message its row, in the place kept for it, if it has none yet."""
    if not has_message(tx, thread_id, message_id):
        insert_message(tx, thread_id, NewMessage(message_id, "assistant", [], {}), position)


def title_of(parts: Sequence[Part]) -> str | None:
    """Return a title for the thread that begins with these parts; None if they have no words and no file."""
    text = "\n".join(part.get("text", "") for part in parts if part["type"] == "text")
    names = [str(part["filename"]) for part in parts if part.get("filename")]
    line = plain_line(text) or next(iter(names), "") or " ".join(strip_escapes(text[:120]).split())
    return (line if len(line) <= 60 else line[:59].rstrip() + "…") or None
