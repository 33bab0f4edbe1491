"""Listing: threads by their newest activity, page by page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from agent_core.domain.messages import Thread
from agent_core.store.database.tables import ThreadRow
from agent_core.store.reads.row_filters import waiting_threads
from agent_core.store.reads.row_mapping import to_thread
from agent_core.support.clock import as_datetime
from agent_core.text.plain_text import ACCENTS, STROKES, search_key

_ROUNDING = 1e-6  # seconds: what a Thread's moment may differ from its row's
_LAST_NAME = "\U0010ffff"  # no id comes after it


@dataclass(frozen=True, slots=True)
class Listed:
    """Which threads are asked for; None where it makes no difference.

    Attributes:
        limit: how many at the most.
        after: the thread that the page before ended with, or its id.
        query: what their titles contain.
        among: the ids they are chosen from.
    """

    limit: int
    after: Thread | str | None = None
    query: str | None = None
    archived: bool = False
    user_id: str | None = None
    pinned: bool | None = None
    waiting: bool = False
    among: Collection[str] | None = None


def threads(session: Session, asked: Listed) -> list[Thread]:
    """Return threads, newest activity first; a page costs what it holds, however far down it is."""
    statement = _chosen(session, asked)
    if (place := _place(session, asked)) is not None:
        at, name = col(ThreadRow.updated_at), col(ThreadRow.id)
        # The first condition leads into the index; the second alone looks through all that stands before.
        statement = statement.where(at <= place[0], or_(at < place[0], name < place[1]))
    order = (col(ThreadRow.updated_at).desc(), col(ThreadRow.id).desc())
    rows = session.exec(statement.order_by(*order).limit(asked.limit)).all()
    return [to_thread(row) for row in rows]


def _chosen(session: Session, asked: Listed) -> SelectOfScalar[ThreadRow]:
    statement = select(ThreadRow).where(col(ThreadRow.archived) == asked.archived)
    statement = statement.where(col(ThreadRow.delete_at).is_(None))
    if asked.pinned is not None:  # not as a value: the index of the pinned ones is found by the word
        statement = statement.where(col(ThreadRow.pinned) if asked.pinned else ~col(ThreadRow.pinned))
    if asked.waiting:
        statement = statement.where(col(ThreadRow.id).in_(waiting_threads()))
    if asked.among is not None:
        statement = statement.where(col(ThreadRow.id).in_(asked.among))
    if asked.user_id is not None:
        statement = statement.where(col(ThreadRow.user_id) == asked.user_id)
    if asked.query:
        statement = statement.where(
            _folded(session, col(ThreadRow.title)).contains(search_key(asked.query), autoescape=True)
        )
    return statement


def _folded(session: Session, title: Any) -> ColumnElement[str]:
    """Return the title without accents and capitals, as `agent_core.text.plain_text.search_key` makes it of a query."""
    if session.get_bind().dialect.name == "sqlite":
        return func.agent_fold(title)
    apart = func.normalize(func.lower(title), literal_column("NFKD"))
    plain = func.normalize(func.regexp_replace(apart, ACCENTS, "", "g"), literal_column("NFKC"))
    return func.replace(func.translate(func.lower(plain), *STROKES), "ß", "ss")


def _place(session: Session, asked: Listed) -> tuple[float, str] | None:
    """Return where the page begins: moment and id of the thread before it."""
    if asked.after is None:
        return None
    known = asked.after if isinstance(asked.after, Thread) else None
    row = session.get(ThreadRow, known.id if known is not None else asked.after)
    if row is not None and asked.user_id not in (None, row.user_id):
        row = None
    if known is None or (row is not None and as_datetime(row.updated_at) == known.updated_at):
        return None if row is None else (row.updated_at, row.id)
    return (
        known.updated_at.timestamp() + _ROUNDING,
        _LAST_NAME,
    )  # it is gone, or has moved; nothing is skipped
