"""Files: the bytes that messages have, in the same database, so that they are wherever a thread is.

A file that is about to be sent waits under no thread. The message that names it takes it over, in its
own transaction; deleted and forked with its thread, it needs no count of who still uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, bindparam, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from agent_core.errors import ValidationError
from agent_core.messages import Part, attachment_id
from agent_core.store.rows import FILE, P
from agent_core.store.statement import Statement
from agent_core.store.tx import Tx
from agent_core.tables import FileRow

WAITING = ""
"""The thread of a file that no message has yet."""

_f = FILE.c
_COLUMNS = [name for name in _f.keys() if name != "thread_id"]  # noqa: SIM118
_values = {name: P(name) for name in ("thread_id", *_COLUMNS)}
_again = {"created_at": P("created_at")}
_KEEP = Statement(
    insert(FILE).values(_values),
    sqlite=sqlite.insert(FILE)
    .values(_values)
    .on_conflict_do_update(index_elements=["thread_id", "id"], set_=_again),
    postgresql=postgresql.insert(FILE)
    .values(_values)
    .on_conflict_do_update(index_elements=["thread_id", "id"], set_=_again),
)
_HAS = Statement(select(_f.id).where(_f.thread_id == P("thread_id"), _f.id == P("file_id")))
_row: Any = (bindparam("to_thread", type_=String()), *(_f[name] for name in _COLUMNS))
_TAKE = Statement(
    insert(FILE).from_select(
        ["thread_id", *_COLUMNS], select(*_row).where(_f.thread_id == WAITING, _f.id == P("file_id"))
    )
)
_COPY = Statement(
    insert(FILE).from_select(["thread_id", *_COLUMNS], select(*_row).where(_f.thread_id == P("from_thread")))
)
_FORGET = Statement(delete(FILE).where(_f.thread_id == WAITING, _f.created_at < P("before")))


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file: its id, its type as it was kept, and its bytes."""

    id: str
    media_type: str
    data: bytes


def keep(tx: Tx, file: StoredFile) -> None:
    """Store a file that a message is going to name."""
    values = {"id": file.id, "media_type": file.media_type, "data": file.data}
    tx.do(_KEEP, thread_id=WAITING, created_at=tx.now, **values)


def take(tx: Tx, thread_id: str, parts: Iterable[Part]) -> None:
    """Give a thread the files that parts of its new message name.

    Raises:
        ValidationError: one of them is not there; nothing is stored then.
    """
    named = {attachment_id(part["url"]): part for part in parts if part["type"] == "file"}
    for file_id, part in named.items():
        if file_id is None or tx.one(_HAS, thread_id=thread_id, file_id=file_id):
            continue
        if not tx.run(_TAKE, to_thread=thread_id, file_id=file_id):
            name = part.get("filename") or "that was attached"
            raise ValidationError(f"The file {name} is not here any more; attach it again.")


def copy(tx: Tx, thread_id: str, copy_id: str) -> None:
    """Give a fork the files of its original."""
    tx.do(_COPY, from_thread=thread_id, to_thread=copy_id)


def forget(tx: Tx, before: float) -> None:
    """Delete the files that have waited since `before` for a message that never came."""
    tx.do(_FORGET, before=before)


def read(session: Session, thread_id: str, ids: Sequence[str]) -> dict[str, StoredFile]:
    """Return the files of a thread by their ids, those that there are."""
    rows = session.exec(
        select_rows(FileRow.id, FileRow.media_type, FileRow.data).where(
            FileRow.thread_id == thread_id, col(FileRow.id).in_(ids)
        )
    )
    return {file_id: StoredFile(file_id, media_type, data) for file_id, media_type, data in rows}
