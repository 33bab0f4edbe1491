"""Locate the messages of a client: by their ids, and by their words once they were edited.

An edited message has an id of its own, but a client that edits keeps the old id. So an id names a
place in the tree, and the text distinguishes the messages at that place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import literal
from sqlmodel import Session, col, select

from agent_core.domain.messages import Part
from agent_core.store.database.sql import load
from agent_core.store.database.tables import MessageRow, ThreadRow

_MAX_FORKS = 100  # threads with a message of one id that are looked at


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """A message that a client names, found among those at the same place of the tree.

    Attributes:
        id: the message at that place with the client's words; else any, the shown one first; the named one if no
            words were given.
        role: its role.
        parent_id: the message before it; None: it is the first.
        has_words: whether it has the words that the client shows.
        shown: whether it is on the path that is shown.
        newest: whether no turn follows its own.
        count: the number of messages at the place.
    """

    id: str
    role: str
    parent_id: str | None
    has_words: bool
    shown: bool
    newest: bool
    count: int


def find_client_message(
    session: Session, thread_id: str, message_id: str, parts: Sequence[Part] | None
) -> ClientMessage | None:
    """Return the message that a client names; None if the thread never had one with this id.

    Args:
        message_id: the id by which the client knows the message.
        parts: the parts that the client shows, if they may have changed.
    """
    named = session.get(MessageRow, (thread_id, message_id))
    if named is None:
        return _reply_under_way(session, thread_id, message_id)
    rows = _at_place(session, named)
    equal = [named] if parts is None else [row for row in rows if load(row.parts) == parts]
    meant = min(equal or rows, key=lambda row: (row.branch != 0, row.id != message_id))
    return ClientMessage(
        meant.id,
        meant.role,
        meant.parent_id,
        has_words=bool(equal),
        shown=meant.branch == 0,
        newest=meant.branch == 0 and (meant.queued or not _followed(session, meant)),
        count=len(rows),
    )


def _reply_under_way(session: Session, thread_id: str, message_id: str) -> ClientMessage | None:
    """Return the reply of the current turn, which has no row before its first step ends."""
    thread = session.get(ThreadRow, thread_id)
    if thread is None or thread.reply_id != message_id:
        return None
    return ClientMessage(message_id, "assistant", None, has_words=True, shown=True, newest=True, count=1)


def _at_place(session: Session, named: MessageRow) -> list[MessageRow]:
    """Return the message and its alternatives, of the same role and after the same message."""
    if named.queued:
        return [named]
    same = (MessageRow.thread_id == named.thread_id, MessageRow.role == named.role)
    rows = session.exec(
        select(MessageRow)
        .where(*same, col(MessageRow.parent_id) == named.parent_id, ~col(MessageRow.queued))
        .order_by(col(MessageRow.created_at).desc(), col(MessageRow.id).desc())
    )
    return list(rows)


def _followed(session: Session, row: MessageRow) -> bool:
    """Whether a person's message is shown behind a shown one."""
    shown = (MessageRow.thread_id == row.thread_id, MessageRow.branch == 0, MessageRow.role == "user")
    behind = (~col(MessageRow.queued), col(MessageRow.position) > row.position)
    return session.exec(select(MessageRow.id).where(*shown, *behind).limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A user's message that began a turn, found by its id alone."""

    id: str
    thread_id: str
    created_at: float
    metadata: dict[str, Any]


def find_prompts(session: Session, message_id: str) -> list[Prompt]:
    """Return the user's messages with an id, that of the oldest thread first: forks copy the ids of their messages."""
    rows = session.exec(
        select(MessageRow)
        .join(ThreadRow, col(ThreadRow.id) == col(MessageRow.thread_id))
        .where(MessageRow.id == message_id, MessageRow.role == "user", col(ThreadRow.delete_at).is_(None))
        .order_by(col(ThreadRow.created_at))
        .limit(_MAX_FORKS)
    )
    return [Prompt(row.id, row.thread_id, row.created_at, load(row.meta)) for row in rows]


def path_to(session: Session, thread_id: str, message_id: str) -> list[str]:
    """Return the ids of the messages from the first one to a message, in any branch; [] if it does not exist."""
    rows = select(MessageRow.id, MessageRow.parent_id, literal(0).label("depth")).where(
        MessageRow.thread_id == thread_id, MessageRow.id == message_id
    )
    above = rows.cte("above", recursive=True)
    parents = select(MessageRow.id, MessageRow.parent_id, above.c.depth + 1).where(
        MessageRow.thread_id == thread_id, MessageRow.id == above.c.parent_id
    )
    above = above.union_all(parents)
    return list(session.exec(select(above.c.id).order_by(above.c.depth.desc())))
