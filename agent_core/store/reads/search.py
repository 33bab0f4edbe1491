"""Searching: the threads that say all of some words, in their title or in one of their messages.

No index of words is kept: it would cost more at every step than a search costs now and then. Threads are
looked through batch by batch, the newest first, and a search ends when it has found enough. The database
finds a batch's rows by their keys and sorts out those whose JSON cannot match; the rest is read here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from agent_core.domain.messages import SearchHit, text_of
from agent_core.domain.states import StreamStatus
from agent_core.store.database.sql import load
from agent_core.store.database.tables import MessageRow, StreamRow, ThreadRow
from agent_core.store.reads.row_filters import not_aside
from agent_core.store.reads.row_mapping import to_thread
from agent_core.text.plain_text import find_folded, search_key

MAX_WORDS = 8
_PER_THREAD = 3  # messages of one thread
_BEFORE, _AFTER = 40, 120  # characters of a snippet around the first word
_KEPT = [StreamStatus.COMMITTED, StreamStatus.PARTIAL]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, and where.

    Attributes:
        words: all of them must stand in one title or one message; folded, so that accents and capitals do
            not matter.
        archived: only among those that are, or that are not; None: among both.
        user_id: only among this person's threads.
        roles: of the messages that may be shown.
    """

    words: tuple[str, ...]
    archived: bool | None
    user_id: str | None
    roles: tuple[str, ...]


def words_of(query: str) -> tuple[str, ...]:
    """Return the words of a query, folded, each once."""
    return tuple(dict.fromkeys(search_key(query).split()))[:MAX_WORDS]


def search_batch(
    session: Session, wanted: Wanted, after: tuple[float, str] | None, size: int
) -> tuple[list[SearchHit], tuple[float, str] | None]:
    """Look through the next `size` threads.

    Args:
        session: where to read.
        wanted: what is looked for.
        after: what the call before returned; None at first.
        size: how many threads.

    Returns:
        the hits, those of the newest thread first; and where to go on, or None at the end.
    """
    threads = session.exec(_threads(wanted, after).limit(size)).all()
    found = _messages(session, wanted, [row.id for row in threads])
    hits: list[SearchHit] = []
    for row in threads:
        if said := _said(row.title or "", wanted.words):
            hits.append(SearchHit(to_thread(row)))
        newest = sorted(found[row.id], reverse=True)[: _PER_THREAD - bool(said)]
        hits += [SearchHit(to_thread(row), name, snippet) for _, name, snippet in newest]
    return hits, (threads[-1].updated_at, threads[-1].id) if len(threads) == size else None


def _threads(wanted: Wanted, after: tuple[float, str] | None) -> SelectOfScalar[ThreadRow]:
    at, name = col(ThreadRow.updated_at), col(ThreadRow.id)
    statement = select(ThreadRow).where(col(ThreadRow.delete_at).is_(None))
    if wanted.archived is not None:
        statement = statement.where(col(ThreadRow.archived) == wanted.archived)
    if wanted.user_id is not None:
        statement = statement.where(ThreadRow.user_id == wanted.user_id)
    if after is not None:
        statement = statement.where(at <= after[0], or_(at < after[0], name < after[1]))  # see listing
    return statement.order_by(at.desc(), name.desc())


def _messages(
    session: Session, wanted: Wanted, threads: Sequence[str]
) -> defaultdict[str, list[tuple[float, str, str]]]:
    """Return, by thread, (when, message id, snippet) of the shown messages that say all the words."""
    found: defaultdict[str, list[tuple[float, str, str]]] = defaultdict(list)
    message, stream = MessageRow, StreamRow
    asked = select(message.thread_id, message.created_at, message.id, message.parts).where(
        col(message.thread_id).in_(threads),
        message.branch == 0,
        col(message.role).in_(wanted.roles),
        *_may_say(session, col(message.parts), wanted.words),
    )
    answered = select(stream.thread_id, stream.started_at, stream.message_id, stream.parts).where(
        col(stream.thread_id).in_(threads),
        col(stream.status).in_(_KEPT),
        *_may_say(session, col(stream.parts), wanted.words),
        not_aside(stream.thread_id, stream.message_id),
    )
    for statement in (asked, answered):
        for thread_id, at, name, parts in session.exec(statement):
            if snippet := _said(text_of(load(parts)), wanted.words):
                found[thread_id].append((at, name, snippet))
    return found


def _may_say(session: Session, column: Any, words: Sequence[str]) -> list[ColumnElement[bool]]:
    """Build the conditions that JSON text may hold the words: what they sort out certainly does not."""
    # SQLite's LIKE takes no notice of capitals by itself, and is far faster so.
    postgresql = session.get_bind().dialect.name == "postgresql"
    like = column.ilike if postgresql else column.like
    said = [like(f"%{''.join(map(_pattern, word))}%", escape="!") for word in words]
    # A letter may carry an accent, or have another form, only where something is not ASCII.
    accented = column.op("~")("[^\x01-\x7f]") if postgresql else column.op("GLOB")("*[^\x01-\x7f]*")
    loose = [like(f"%{''.join(map(_loose_pattern, word))}%", escape="!") for word in words]
    return [or_(and_(*said), and_(accented, *loose))]


def _pattern(character: str) -> str:
    if character in "%_!":
        return f"!{character}"
    if character in '"\\' or not character.isprintable():
        return "%"  # JSON may spell it differently
    # SQLite knows the capitals of ASCII only.
    return character if character.isascii() or character.lower() == character.upper() else "_"


def _loose_pattern(character: str) -> str:
    """Match a character in each form that folds to it; those of CJK text have one form in practice."""
    is_cjk = character > "\u2e7f" and character.isprintable() and character.lower() == character.upper()
    return character if is_cjk else "%"


def _said(text: str, words: Sequence[str]) -> str:
    """Return a snippet of a text that says all the words; "" for one that does not."""
    line = " ".join(text.split())
    at = find_folded(line, words)
    return "" if at is None else _snippet(line, at)


def _snippet(line: str, at: int) -> str:
    start, end = max(0, at - _BEFORE), min(len(line), at + _AFTER)
    if 0 < start < (blank := line.find(" ", start, at)):
        start = blank + 1  # not in the middle of a word
    return ("…" if start else "") + line[start:end].strip() + ("…" if end < len(line) else "")
