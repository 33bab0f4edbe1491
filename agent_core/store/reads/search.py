"""Search threads for words in their titles and messages.

Threads are searched batch by batch, newest first, until there are enough hits. The database finds a batch's rows by
their keys and excludes rows whose JSON cannot match; the rest is matched here. After the first batch, which is enough
for common words, an index of grams excludes the threads that cannot match (see `store.threads.search_index`); those that
are not indexed yet are searched without it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, union_all
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from agent_core.domain.messages import SearchHit, text_of
from agent_core.domain.states import StreamStatus
from agent_core.store.database.sql import load
from agent_core.store.database.tables import MessageRow, SearchRow, StreamRow, ThreadRow
from agent_core.store.reads.row_filters import ThreadPlace, before, not_aside
from agent_core.store.reads.row_mapping import to_thread
from agent_core.store.threads import search_index
from agent_core.support.logs import get_logger
from agent_core.text.grams import words_in
from agent_core.text.plain_text import find_folded, search_key

_log = get_logger(__name__)
MAX_WORDS = 8
_PER_THREAD = 3  # messages of one thread
_BEFORE, _AFTER = 40, 120  # characters of a snippet around the first word
_MAX_UNINDEXED = 1_000  # threads without an index entry for which the index is still worth its query
_KEPT = [StreamStatus.COMMITTED, StreamStatus.PARTIAL]


class Search(NamedTuple):
    """A search.

    Attributes:
        words: folded words, all of which a hit contains.
        archived: only archived threads, or only the others; None: both.
        user_id: only this user's threads; None: all.
        roles: roles of the messages that are searched.
    """

    words: tuple[str, ...]
    archived: bool | None
    user_id: str | None
    roles: tuple[str, ...]


class SearchBatch(NamedTuple):
    """Hits of a batch of threads, newest thread first, and the last thread of the batch; None: the search ends."""

    hits: list[SearchHit]
    last: ThreadPlace | None


class ThreadText(NamedTuple):
    """The words of a thread that searches may find, and the cursor at which it had them."""

    cursor: int
    words: set[str]


class _MessageHit(NamedTuple):
    at: float
    message_id: str
    snippet: str


def words_of(query: str) -> tuple[str, ...]:
    """Return the distinct words of a query, folded."""
    return tuple(dict.fromkeys(search_key(query).split()))[:MAX_WORDS]


def search_batch(
    session: Session, wanted: Search, after: ThreadPlace | None, size: int, *, indexed: bool
) -> SearchBatch:
    """Search the next `size` threads after a place (None: the newest ones); if `indexed`, only those that may match."""
    statement = _threads(wanted, after)
    if indexed and (found := candidates(session, wanted.words)) is not None:
        statement = statement.where(found)
    threads = session.exec(statement.limit(size)).all()
    found = _messages(session, wanted, [row.id for row in threads])
    hits: list[SearchHit] = []
    for row in threads:
        if title := _snippet_with(row.title or "", wanted.words):
            hits.append(SearchHit(to_thread(row)))
        newest = sorted(found[row.id], reverse=True)[: _PER_THREAD - bool(title)]
        hits += [SearchHit(to_thread(row), hit.message_id, hit.snippet) for hit in newest]
    more = len(threads) == size
    return SearchBatch(hits, ThreadPlace(threads[-1].updated_at, threads[-1].id) if more else None)


def _threads(wanted: Search, after: ThreadPlace | None) -> SelectOfScalar[ThreadRow]:
    statement = select(ThreadRow).where(col(ThreadRow.delete_at).is_(None))
    if wanted.archived is not None:
        statement = statement.where(col(ThreadRow.archived) == wanted.archived)
    if wanted.user_id is not None:
        statement = statement.where(ThreadRow.user_id == wanted.user_id)
    if after is not None:
        statement = statement.where(before(after))
    return statement.order_by(col(ThreadRow.updated_at).desc(), col(ThreadRow.id).desc())


def candidates(session: Session, words: Sequence[str]) -> ColumnElement[bool] | None:
    """Build the condition that a thread may contain the folded words; None: the index cannot tell."""
    if not words or not search_index.is_available(session):
        return None
    unindexed = select(ThreadRow.id).where(search_index.has_unindexed)
    many = select(func.count()).select_from(unindexed.limit(_MAX_UNINDEXED).subquery())
    if session.exec(many).one() >= _MAX_UNINDEXED:
        return None
    indexed = select(SearchRow.thread_id).where(search_index.matches(session, words))
    return col(ThreadRow.id).in_(union_all(indexed, unindexed))


def text_of_thread(session: Session, thread_id: str) -> ThreadText | None:
    """Return the words of a thread, for its index entry; None if it was deleted."""
    thread = session.get(ThreadRow, thread_id)
    if thread is None:
        return None
    words = words_in(thread.title or "")
    for statement in _shown([thread_id]):
        for _, _, message_id, parts in session.exec(statement):
            words |= words_in(_text_of(thread_id, message_id, parts))
    return ThreadText(thread.cursor, words)


def _messages(
    session: Session, wanted: Search, threads: Sequence[str]
) -> defaultdict[str, list[_MessageHit]]:
    """Return the shown messages that contain all words, by thread."""
    found: defaultdict[str, list[_MessageHit]] = defaultdict(list)
    asked, answered = _shown(threads)
    statements = (
        asked.where(
            col(MessageRow.role).in_(wanted.roles),
            *_may_contain(session, col(MessageRow.parts), wanted.words),
        ),
        answered.where(*_may_contain(session, col(StreamRow.parts), wanted.words)),
    )
    for statement in statements:
        for thread_id, at, name, parts in session.exec(statement):
            if snippet := _snippet_with(_text_of(thread_id, name, parts), wanted.words):
                found[thread_id].append(_MessageHit(at, name, snippet))
    return found


def _text_of(thread_id: str, message_id: str, parts: str) -> str:
    """Return the text of a row; "" for a damaged one, which must not hide the others."""
    try:
        return text_of(load(parts))
    except (ValueError, TypeError, AttributeError) as error:
        _log.warning("Thread %s: searches skip the damaged message %s: %s", thread_id, message_id, error)
        return ""


def _shown(threads: Sequence[str]) -> tuple[SelectOfScalar[Any], SelectOfScalar[Any]]:
    """Select the thread, time, message and parts of each shown row: those of people, and those of answers."""
    message, stream = MessageRow, StreamRow
    asked: Any = select(message.thread_id, message.created_at, message.id, message.parts).where(
        col(message.thread_id).in_(threads), message.branch == 0
    )
    answered: Any = select(stream.thread_id, stream.started_at, stream.message_id, stream.parts).where(
        col(stream.thread_id).in_(threads),
        col(stream.status).in_(_KEPT),
        not_aside(stream.thread_id, stream.message_id),
    )
    return asked, answered


def _may_contain(session: Session, column: Any, words: Sequence[str]) -> list[ColumnElement[bool]]:
    """Build the conditions that JSON text may contain the words; text that they exclude does not."""
    # SQLite's LIKE ignores the case of ASCII letters, and is far faster than a function.
    postgresql = session.get_bind().dialect.name == "postgresql"
    like = column.ilike if postgresql else column.like
    said = [like(f"%{''.join(map(_pattern, word))}%", escape="!") for word in words]
    # A letter can have an accent, or another form, only in text that is not ASCII.
    accented = column.op("~")("[^\x01-\x7f]") if postgresql else column.op("GLOB")("*[^\x01-\x7f]*")
    loose = [like(f"%{''.join(map(_loose_pattern, word))}%", escape="!") for word in words]
    return [or_(and_(*said), and_(accented, *loose))]


def _pattern(character: str) -> str:
    if character in "%_!":
        return f"!{character}"
    if character in '"\\' or not character.isprintable():
        return "%"  # JSON may escape it
    # SQLite ignores the case of ASCII letters only.
    return character if character.isascii() or character.lower() == character.upper() else "_"


def _loose_pattern(character: str) -> str:
    """Return a LIKE pattern for every form that folds to a character; CJK characters have one form in practice."""
    is_cjk = character > "\u2e7f" and character.isprintable() and character.lower() == character.upper()
    return character if is_cjk else "%"


def _snippet_with(text: str, words: Sequence[str]) -> str:
    """Return a snippet of a text that contains all words; "" for any other text."""
    line = " ".join(text.split())
    at = find_folded(line, words)
    return "" if at is None else _snippet(line, at)


def _snippet(line: str, at: int) -> str:
    start, end = max(0, at - _BEFORE), min(len(line), at + _AFTER)
    if 0 < start < (blank := line.find(" ", start, at)):
        start = blank + 1  # begins with a whole word
    return ("…" if start else "") + line[start:end].strip() + ("…" if end < len(line) else "")
