"""Index the text of threads by its grams: in FTS5 on SQLite, in a GIN index of integers on PostgreSQL.

A thread's row says up to which cursor its text is indexed (`search_cursor`), and every change of a thread raises its
cursor. Workers index threads that have changed, so a step's commit writes nothing for it, and changes by a version
that knows no index are indexed, too. A search reads threads that are not indexed yet as if there were no index.

FTS5 keeps no copy of what it has indexed (https://www.sqlite.org/fts5.html#contentless_tables), and has to be given
the same grams again to delete them; the row has the words that they are made of. A SQLite without FTS5 has no index.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, delete, insert, select, text, update
from sqlmodel import Session

from agent_core.domain.states import IDLE
from agent_core.store.database.sql import SEARCH, THREAD, P, Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.text.grams import grams_for, grams_of

QUIET = 10.0
"""Seconds after its last change for which a thread is not indexed: its next change would be too soon."""

_MAX_THREADS = 20  # chosen at once
_t, _i = THREAD.c, SEARCH.c
has_unindexed = _t.search_cursor < _t.cursor
"""The condition that a thread has text that may not be indexed, in the words of the index."""

_NEXT = (
    select(_t.id)
    .where(has_unindexed, one_of(_t.status, IDLE), _t.updated_at <= P("before"))
    .limit(_MAX_THREADS)
)
_CLAIM = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"), _t.search_cursor < P("at_cursor"))
    .values(search_cursor=P("at_cursor"))
    .returning(_t.id)
)
_FIND = Statement(select(_i.id, _i.grams).where(_i.thread_id == P("thread_id")))
_DELETE = Statement(delete(SEARCH).where(_i.thread_id == P("thread_id")))
_INSERT = Statement(insert(SEARCH).values(thread_id=P("thread_id"), grams=P("grams")).returning(_i.id))
_ORPHANS = Statement(
    select(_i.thread_id).where(_i.thread_id.not_in(select(_t.id))).order_by(_i.id).limit(_MAX_THREADS)
)
_HAS_FTS5 = text(
    "SELECT 1 FROM sqlite_master AS m, pragma_module_list AS l WHERE m.name = 'agent_search_fts' AND l.name = 'fts5'"
)
_FTS5 = Statement(_HAS_FTS5)
_FTS5_INSERT = Statement(text("INSERT INTO agent_search_fts (rowid, grams) VALUES (:row_id, :tokens)"))
_FTS5_DELETE = Statement(
    text("INSERT INTO agent_search_fts (agent_search_fts, rowid, grams) VALUES ('delete', :row_id, :tokens)")
)
_FTS5_MATCH = "SELECT rowid FROM agent_search_fts WHERE agent_search_fts MATCH :tokens"


def is_available(session: Session) -> bool:
    """Whether the database has an index."""
    connection = session.connection()
    return connection.dialect.name != "sqlite" or connection.execute(_HAS_FTS5).first() is not None


def unindexed(session: Session, now: float) -> list[str]:
    """Return idle threads whose text is to be indexed."""
    return list(session.connection().execute(_NEXT, {"before": now - QUIET}).scalars())


def put(tx: Tx, thread_id: str, cursor: int, words: Collection[str]) -> bool:
    """Index a thread by its words at `cursor`; return False if it was deleted, or a worker has indexed it."""
    if tx.one(_CLAIM, thread_id=thread_id, at_cursor=cursor) is None:
        return False
    remove(tx, thread_id)
    if tx.dialect.name != "sqlite":
        tx.must(_INSERT, thread_id=thread_id, grams=sorted(grams_of(words)))
    else:
        packed = zlib.compress(" ".join(sorted(words)).encode(errors="surrogatepass"))
        (row_id,) = tx.must(_INSERT, thread_id=thread_id, grams=packed)
        tx.do(_FTS5_INSERT, row_id=row_id, tokens=_tokens(grams_of(words)))
    return True


def remove(tx: Tx, thread_id: str) -> None:
    """Delete what is indexed of a thread."""
    if tx.dialect.name == "sqlite" and tx.one(_FTS5) is not None:
        for row_id, packed in tx.all(_FIND, thread_id=thread_id):
            words = zlib.decompress(packed).decode(errors="surrogatepass").split(" ")
            tx.do(_FTS5_DELETE, row_id=row_id, tokens=_tokens(grams_of(words)))
    tx.do(_DELETE, thread_id=thread_id)


def remove_orphans(tx: Tx) -> int:
    """Delete what is indexed of threads that a version without an index has deleted; return how many."""
    orphans = tx.all(_ORPHANS)
    for (thread_id,) in orphans:
        remove(tx, thread_id)
    return len(orphans)


def matches(session: Session, words: Iterable[str]) -> ColumnElement[bool]:
    """Build the condition that an indexed thread may contain all of some folded words."""
    grams = sorted(grams_for(words))
    if session.get_bind().dialect.name != "sqlite":
        return _i.grams.contains(grams)
    found = text(_FTS5_MATCH).bindparams(tokens=" AND ".join(_token(gram) for gram in grams))
    return _i.id.in_(found.columns(_i.id).scalar_subquery())


def _tokens(grams: Iterable[int]) -> str:
    return " ".join(_token(gram) for gram in grams)


def _token(gram: int) -> str:
    return format(gram & 0xFFFFFFFF, "x")
