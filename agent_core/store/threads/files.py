"""Store the bytes of files in the database of their threads.

Each row has a holder: a thread, a schedule, or the user who has uploaded the file but not yet sent the message
that names it. A message copies its files from a holder that its sender may read, in its own transaction. Files are
deleted and forked with their thread, so they need no reference counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import String, bindparam, case, delete, func, insert, literal_column, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from agent_core.domain.messages import Part, StoredFile, attachment_id
from agent_core.errors import ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.sql import FILE, P, Statement, upsert
from agent_core.store.database.tables import FileRow, ThreadRow
from agent_core.store.database.transaction import Tx

WAITING = ""
"""Holder of files that callers without a user have uploaded and that no message names."""
_MAX_HOLDERS = 50  # most holders of one file that are read

_f = FILE.c
_COLUMNS = [name for name in _f.keys() if name != "thread_id"]  # noqa: SIM118
_values = {name: P(name) for name in ("thread_id", *_COLUMNS)}
_KEEP = upsert(FILE, _values, ["thread_id", "id"], {"created_at": P("created_at")})
_HAS = Statement(select(_f.id).where(_f.thread_id == P("thread_id"), _f.id == P("file_id")))
_row: Any = (bindparam("to_thread", type_=String()), *(_f[name] for name in _COLUMNS))
_TAKE = Statement(
    insert(FILE).from_select(
        ["thread_id", *_COLUMNS], select(*_row).where(_f.thread_id == P("from_thread"), _f.id == P("file_id"))
    )
)
_unsent = func.substr(_f.thread_id, literal_column("1"), literal_column("1")) == literal_column("':'")
_FILES = select_rows(FileRow.id, FileRow.media_type, FileRow.data, FileRow.converted)
_FORGET = [
    Statement(delete(FILE).where(waits, _f.created_at < P("before")))
    for waits in (_f.thread_id == literal_column("''"), _unsent)
]
_SET_CONVERTED = Statement(
    update(FILE)
    .where(_f.thread_id == P("holder"), _f.id == P("file_id"))
    .values(converted=P("new_converted"))
)
_DELETE_ALL = Statement(delete(FILE).where(_f.thread_id == P("holder")))


def waiting_with(user_id: str | None) -> str:
    """Return the holder of a user's uploads that no message names; no thread's id has a colon."""
    return WAITING if user_id is None else f":{user_id}"


def kept_by(schedule_id: str) -> str:
    """Return the holder of a schedule's files."""
    return f"schedule:{schedule_id}"


def attached(parts: Iterable[Part]) -> dict[str, Part]:
    """Return the parts that name a stored file, by its id."""
    named = {attachment_id(part["url"]): part for part in parts if part["type"] == "file"}
    return {file_id: part for file_id, part in named.items() if file_id is not None}


def keep(tx: Tx, file: StoredFile, user_id: str | None) -> None:
    """Store a file that a later message of the same user names."""
    put(tx, waiting_with(user_id), [file])


def put(tx: Tx, holder: str, files: Iterable[StoredFile]) -> None:
    """Store files, such as those of a thread that a tool has made, or that were imported."""
    for file in files:
        values = {
            **{"id": file.id, "media_type": file.media_type, "data": file.data},
            "converted": file.converted,
        }
        tx.do(_KEEP, thread_id=holder, created_at=tx.now, **values)


def set_converted(tx: Tx, holder: str, file_id: str, converted: bytes) -> None:
    """Store what models get instead of a file."""
    tx.do(_SET_CONVERTED, holder=holder, file_id=file_id, new_converted=converted)


def take(tx: Tx, holder: str, parts: Iterable[Part], sources: Mapping[str, str]) -> None:
    """Copy the files that the parts of a new message name to a thread or schedule, which keeps those it has.

    Args:
        sources: the holders from which the sender may take the files, by their ids.

    Raises:
        ValidationError: a file does not exist, or the sender may not take it.
    """
    for file_id, part in attached(parts).items():
        if has(tx, holder, file_id):
            continue
        source = sources.get(file_id)
        if source is None or not tx.run(_TAKE, from_thread=source, to_thread=holder, file_id=file_id):
            name = part.get("filename") or "that was attached"
            raise ValidationError(sentence("file_not_found", name=name))


def copy(tx: Tx, thread_id: str, copy_id: str, ids: Iterable[str]) -> None:
    """Copy existing files of a thread to its fork."""
    for file_id in ids:
        tx.do(_TAKE, from_thread=thread_id, to_thread=copy_id, file_id=file_id)


def has(tx: Tx, holder: str, file_id: str) -> bool:
    """Whether a thread has a file."""
    return tx.one(_HAS, thread_id=holder, file_id=file_id) is not None


def delete_all(tx: Tx, holder: str) -> None:
    """Delete the files of a schedule."""
    tx.do(_DELETE_ALL, holder=holder)


def forget(tx: Tx, before: float) -> None:
    """Delete the uploads from before a moment that no message has named."""
    for statement in _FORGET:
        tx.do(statement, before=before)


def holders(session: Session, file_id: str, user_id: str | None) -> list[str]:
    """Return the holders of a file: a user's own ones first, then the newest."""
    owned = col(ThreadRow.user_id) == user_id
    own = case((col(FileRow.thread_id) == waiting_with(user_id), 0), (owned, 1), else_=2)
    query = (
        select_rows(FileRow.thread_id)
        .outerjoin(ThreadRow, col(ThreadRow.id) == FileRow.thread_id)
        .where(FileRow.id == file_id)
        .order_by(own, col(FileRow.created_at).desc())
    )
    return list(session.exec(query.limit(_MAX_HOLDERS)))


def read(session: Session, thread_id: str, ids: Sequence[str]) -> dict[str, StoredFile]:
    """Return existing files of a thread by their ids."""
    rows = session.exec(_FILES.where(FileRow.thread_id == thread_id, col(FileRow.id).in_(ids)))
    return {row[0]: StoredFile(*row) for row in rows}


def unconverted(session: Session, thread_id: str, media_types: Iterable[str]) -> list[StoredFile]:
    """Return the files of a thread with one of the types for which no conversion was tried."""
    rows = session.exec(
        _FILES.where(
            FileRow.thread_id == thread_id,
            col(FileRow.converted).is_(None),
            col(FileRow.media_type).in_(sorted(media_types)),
        )
    )
    return [StoredFile(*row) for row in rows]
