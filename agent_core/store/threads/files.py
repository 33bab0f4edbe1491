"""Files: the bytes that messages have, in the same database, so that they are wherever a thread is.

Each row has a holder: a thread, a schedule, or the person who has sent the file and not yet the message
that names it. A message takes its files over from the holder that its sender may read, in its own
transaction; deleted and forked with their thread, files need no count of who still uses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import String, bindparam, case, delete, func, insert, literal_column, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from agent_core.domain.messages import Part, StoredFile, attachment_id
from agent_core.errors import ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.sql import FILE, P, Statement, upsert
from agent_core.store.database.tables import FileRow, ThreadRow
from agent_core.store.database.transaction import Tx

WAITING = ""
"""The holder of files that somebody without a name has sent, and that no message has yet."""
_MAX_HOLDERS = 50  # threads with one file that are looked at, at the most

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
_FORGET = [
    Statement(delete(FILE).where(waits, _f.created_at < P("before")))
    for waits in (_f.thread_id == literal_column("''"), _unsent)
]
_LET_GO = Statement(delete(FILE).where(_f.thread_id == P("holder")))


def waiting_with(user_id: str | None) -> str:
    """Return the holder of what a person has sent and no message has yet; no thread's id has a colon."""
    return WAITING if user_id is None else f":{user_id}"


def kept_by(schedule_id: str) -> str:
    """Return the holder of what a schedule is going to send."""
    return f"schedule:{schedule_id}"


def attached(parts: Iterable[Part]) -> dict[str, Part]:
    """Return the parts that name a file of ours, by its id."""
    named = {attachment_id(part["url"]): part for part in parts if part["type"] == "file"}
    return {file_id: part for file_id, part in named.items() if file_id is not None}


def keep(tx: Tx, file: StoredFile, user_id: str | None) -> None:
    """Store a file that a message of the same person is going to name."""
    values = {"id": file.id, "media_type": file.media_type, "data": file.data}
    tx.do(_KEEP, thread_id=waiting_with(user_id), created_at=tx.now, **values)


def put(tx: Tx, thread_id: str, files: Iterable[StoredFile]) -> None:
    """Give a thread files that nobody has sent: a tool has made them."""
    for file in files:
        values = {"id": file.id, "media_type": file.media_type, "data": file.data}
        tx.do(_KEEP, thread_id=thread_id, created_at=tx.now, **values)


def take(tx: Tx, holder: str, parts: Iterable[Part], sources: Mapping[str, str]) -> None:
    """Give a thread, or a schedule, the files that parts of its new message name.

    Args:
        tx: the transaction.
        holder: whose the files become; it keeps what it has already.
        parts: the message's.
        sources: by a file's id, the holder from which the sender may take it.

    Raises:
        ValidationError: one of them is not there, or not for the sender; nothing is stored then.
    """
    for file_id, part in attached(parts).items():
        if has(tx, holder, file_id):
            continue
        source = sources.get(file_id)
        if source is None or not tx.run(_TAKE, from_thread=source, to_thread=holder, file_id=file_id):
            name = part.get("filename") or "that was attached"
            raise ValidationError(sentence("file_not_found", name=name))


def copy(tx: Tx, thread_id: str, copy_id: str, ids: Iterable[str]) -> None:
    """Give a fork files of its original, those that there are."""
    for file_id in ids:
        tx.do(_TAKE, from_thread=thread_id, to_thread=copy_id, file_id=file_id)


def has(tx: Tx, holder: str, file_id: str) -> bool:
    """Whether a thread has a file."""
    return tx.one(_HAS, thread_id=holder, file_id=file_id) is not None


def let_go(tx: Tx, holder: str) -> None:
    """Delete the files of a holder that is no thread."""
    tx.do(_LET_GO, holder=holder)


def forget(tx: Tx, before: float) -> None:
    """Delete the files that have waited since `before` for a message that never came."""
    for statement in _FORGET:
        tx.do(statement, before=before)


def holders(session: Session, file_id: str, user_id: str | None) -> list[str]:
    """Return who holds a file: people and schedules, and threads; a person's own ones first, then the newest."""
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
    """Return the files of a thread by their ids, those that there are."""
    rows = session.exec(
        select_rows(FileRow.id, FileRow.media_type, FileRow.data).where(
            FileRow.thread_id == thread_id, col(FileRow.id).in_(ids)
        )
    )
    return {file_id: StoredFile(file_id, media_type, data) for file_id, media_type, data in rows}
