"""Find the versions of a message: the messages with the same parent, one of which is shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func
from sqlmodel import Session, col, exists, select

from agent_core.store.database.tables import MessageRow


def not_aside(thread_id: Any, message_id: Any) -> ColumnElement[bool]:
    """Build the condition that a message, which may have no row yet, is not put aside."""
    aside = exists().where(
        col(MessageRow.thread_id) == thread_id, col(MessageRow.id) == message_id, col(MessageRow.branch) > 0
    )
    return ~aside


def versions_of(session: Session, thread_id: str, rows: Sequence[MessageRow]) -> dict[str, tuple[str, ...]]:
    """Return the ids of all versions, oldest first, of each shown message in `rows` that has more than one.

    For a thread without branches this is one index lookup.
    """
    aside = (MessageRow.thread_id == thread_id, col(MessageRow.branch) > 0)
    if not rows or session.exec(select(MessageRow.id).where(*aside).limit(1)).first() is None:
        return {}
    # Only the first message of a branch can be a version of a shown one.
    first = (
        select(MessageRow.branch, func.min(col(MessageRow.position)).label("position"))
        .where(*aside)
        .group_by(col(MessageRow.branch))
        .subquery()
    )
    place = and_(col(MessageRow.branch) == first.c.branch, col(MessageRow.position) == first.c.position)
    heads = session.exec(
        select(MessageRow.parent_id, MessageRow.created_at, MessageRow.id)
        .join(first, place)
        .where(MessageRow.thread_id == thread_id)
    )
    by_parent: defaultdict[str | None, list[tuple[float, str]]] = defaultdict(list)
    for parent_id, created_at, head in heads:
        by_parent[parent_id].append((created_at, head))
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if not row.queued and row.branch == 0 and (others := by_parent.get(row.parent_id)):
            found[row.id] = tuple(name for _, name in sorted([*others, (row.created_at, row.id)]))
    return found
