"""List threads by their newest activity, page by page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, literal_column
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from agent_core.domain.messages import Thread
from agent_core.store.database.tables import ThreadRow
from agent_core.store.reads.row_filters import ThreadPlace, before, waiting_threads
from agent_core.store.reads.row_mapping import to_thread
from agent_core.store.reads.search import candidates, words_of
from agent_core.support.clock import as_datetime
from agent_core.text.plain_text import ACCENTS, STROKES, search_key

_ROUNDING = 1e-6  # seconds by which the moment of a Thread may differ from its row's
_LAST_ID = "\U0010ffff"  # sorts after every id


class ThreadQuery(NamedTuple):
    """Conditions of a page of threads; None is no condition.

    Attributes:
        limit: maximum number of threads.
        after: the last thread of the previous page, or its id.
        query: text that the titles contain.
        among: ids that the threads may have.
    """

    limit: int
    after: Thread | str | None = None
    query: str | None = None
    archived: bool = False
    user_id: str | None = None
    pinned: bool | None = None
    waiting: bool = False
    among: Collection[str] | None = None


def threads(session: Session, asked: ThreadQuery) -> list[Thread]:
    """Return threads, newest activity first; the cost of a page does not depend on its number."""
    statement = _chosen(session, asked)
    if (place := _place(session, asked)) is not None:
        statement = statement.where(before(place))
    order = (col(ThreadRow.updated_at).desc(), col(ThreadRow.id).desc())
    rows = session.exec(statement.order_by(*order).limit(asked.limit)).all()
    return [to_thread(row) for row in rows]


def _chosen(session: Session, asked: ThreadQuery) -> SelectOfScalar[ThreadRow]:
    statement = select(ThreadRow).where(col(ThreadRow.archived) == asked.archived)
    statement = statement.where(col(ThreadRow.delete_at).is_(None))
    if asked.pinned is not None:  # not as a value: the partial index is used only for the bare column
        statement = statement.where(col(ThreadRow.pinned) if asked.pinned else ~col(ThreadRow.pinned))
    if asked.waiting:
        statement = statement.where(col(ThreadRow.id).in_(waiting_threads()))
    if asked.among is not None:
        statement = statement.where(col(ThreadRow.id).in_(asked.among))
    if asked.user_id is not None:
        statement = statement.where(col(ThreadRow.user_id) == asked.user_id)
    if asked.query:
        if (found := candidates(session, words_of(asked.query))) is not None:
            statement = statement.where(found)
        statement = statement.where(
            _folded(session, col(ThreadRow.title)).contains(search_key(asked.query), autoescape=True)
        )
    return statement


def _folded(session: Session, title: Any) -> ColumnElement[str]:
    """Build the title without accents and case, as `agent_core.text.plain_text.search_key` returns a query."""
    if session.get_bind().dialect.name == "sqlite":
        return func.agent_fold(title)
    apart = func.normalize(func.lower(title), literal_column("NFKD"))
    plain = func.normalize(func.regexp_replace(apart, ACCENTS, "", "g"), literal_column("NFKC"))
    return func.replace(func.translate(func.lower(plain), *STROKES), "ß", "ss")


def _place(session: Session, asked: ThreadQuery) -> ThreadPlace | None:
    """Return the place of the last thread of the previous page."""
    if asked.after is None:
        return None
    known = asked.after if isinstance(asked.after, Thread) else None
    row = session.get(ThreadRow, known.id if known is not None else asked.after)
    if row is not None and asked.user_id not in (None, row.user_id):
        row = None
    if known is None or (row is not None and as_datetime(row.updated_at) == known.updated_at):
        return None if row is None else ThreadPlace(row.updated_at, row.id)
    # The thread was deleted, or has moved; no thread behind its old place is skipped.
    return ThreadPlace(known.updated_at.timestamp() + _ROUNDING, _LAST_ID)
