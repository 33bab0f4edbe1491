"""Store messages: a user's with its parts, an assistant's as a row without parts, which its streams have."""

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
    """Build the id of the last shown message before the position bound as `place`: the parent of a message there."""
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


# Forks copy messages with their ids, so no index can forbid an id in two threads.
_ELSEWHERE = Statement(
    select(_m.thread_id).where(_m.id == P("message_id"), _m.thread_id != P("thread_id")).limit(1)
)
_ALONE = Statement(
    select(literal(1)),  # SQLite has one writer
    postgresql=select(func.pg_advisory_xact_lock(func.hashtextextended(P("message_id"), 0))),
)


SENT_BY_SCHEDULE = "schedule"
"""The key of the schedule's id in the metadata of a message that a schedule sends."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be stored.

    Attributes:
        parts: validated parts.
        files: holders from which its sender may take the files that it names, by the ids of the files.
        trace: the trace context of its sender, for the turn that it begins.
        options: what its sender asks for in that turn, as JSON; see `TurnOptions`.
    """

    id: str
    role: Role
    parts: list[Part]
    metadata: dict[str, Any]
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    trace: str | None = None
    options: str | None = None

    @property
    def is_scheduled(self) -> bool:
        """Whether a schedule sends it, and not a person."""
        return SENT_BY_SCHEDULE in self.metadata

    def as_json(self, thread_id: str, created_at: float) -> dict[str, Any]:
        """Return the message in the form of deltas."""
        return self.stored(thread_id, created_at).to_dict()

    def stored(self, thread_id: str, created_at: float) -> Message:
        """Return the message as stored at `created_at`, in seconds since the epoch."""
        when = as_datetime(created_at)
        return Message(self.id, thread_id, self.role, self.parts, when, self.metadata)


def has_message(tx: Tx, thread_id: str, message_id: str) -> bool:
    """Whether the thread has a message with this id."""
    return tx.one(_FIND, thread_id=thread_id, message_id=message_id) is not None


def is_sent(tx: Tx, thread_id: str, message_id: str, reply_id: str | None) -> bool:
    """Whether a user has sent the message before, so that sending it again has no effect.

    `reply_id` is the reply of the newest turn, which has no row before its first text.

    Raises:
        DuplicateMessageError: it is the id of a message that is not a user's.
    """
    found = tx.one(_FIND, thread_id=thread_id, message_id=message_id)
    if message_id == reply_id or (found is not None and found[0] != "user"):
        raise DuplicateMessageError(sentence("message_exists", thread=thread_id, message=message_id))
    return found is not None


def refuse_elsewhere(tx: Tx, thread_id: str, message_id: str) -> None:
    """Check that no other thread has a message with this id.

    Raises:
        DuplicateMessageError: another thread has one.
    """
    tx.all(_ALONE, message_id=message_id)  # it may be sent to two threads at once
    if tx.one(_ELSEWHERE, message_id=message_id, thread_id=thread_id) is not None:
        raise DuplicateMessageError(sentence("message_in_other_thread", message=message_id))


def insert_message(tx: Tx, thread_id: str, message: NewMessage, position: int) -> Chunk:
    """Store a message at `position` of the shown branch; return the chunk for readers."""
    return _insert(tx, _INSERT, thread_id, message, position, message.metadata)


def insert_queued(tx: Tx, thread_id: str, message: NewMessage, position: int) -> Chunk:
    """Store a queued message; return the chunk for readers."""
    return _insert(tx, _INSERT_QUEUED, thread_id, message, position, message.metadata | {"queued": True})


def store_message(tx: Tx, thread_id: str, message: NewMessage, position: int, created_at: float) -> None:
    """Store a message that was written at `created_at`, without a chunk; its files are stored already."""
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
    """Insert the row of an assistant's message at its reserved position, if it has none."""
    if not has_message(tx, thread_id, message_id):
        insert_message(tx, thread_id, NewMessage(message_id, "assistant", [], {}), position)


def title_of(parts: Sequence[Part]) -> str | None:
    """Return a title for a thread that begins with these parts; None if they have neither text nor a file."""
    text = "\n".join(part.get("text", "") for part in parts if part["type"] == "text")
    names = [str(part["filename"]) for part in parts if part.get("filename")]
    line = plain_line(text) or next(iter(names), "") or " ".join(strip_escapes(text[:120]).split())
    return (line if len(line) <= 60 else line[:59].rstrip() + "…") or None
