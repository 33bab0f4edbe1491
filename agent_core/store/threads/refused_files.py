"""Remember which files a model refused in a thread, until the model takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import String, bindparam, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session
from sqlmodel import select as select_rows

from agent_core.store.database.columns import REFUSED_FILE, P
from agent_core.store.database.statement import Statement
from agent_core.store.database.tables import RefusedFileRow
from agent_core.store.database.transaction import Tx

_r = REFUSED_FILE.c
_KEY = ["thread_id", "file_id", "model"]
_values = {name: P(name) for name in (*_KEY, "words", "created_at")}
_again = {"words": P("words"), "created_at": P("created_at")}
_NOTE = Statement(
    insert(REFUSED_FILE).values(_values),
    sqlite=sqlite.insert(REFUSED_FILE)
    .values(_values)
    .on_conflict_do_update(index_elements=_KEY, set_=_again),
    postgresql=postgresql.insert(REFUSED_FILE)
    .values(_values)
    .on_conflict_do_update(index_elements=_KEY, set_=_again),
)
_FORGET = Statement(
    delete(REFUSED_FILE).where(
        _r.thread_id == P("thread_id"), _r.file_id == P("file_id"), _r.model == P("model")
    )
)
_columns: list[Any] = [column for column in _r if column.name != "thread_id"]
_copied: Any = (bindparam("to_thread", type_=String()), *_columns)
_COPY = Statement(
    insert(REFUSED_FILE).from_select(
        ["thread_id", *(column.name for column in _columns)],
        select(*_copied).where(_r.thread_id == P("from_thread")),
    )
)


def note(tx: Tx, thread_id: str, model: str, file_ids: Iterable[str], words: str) -> None:
    """Remember that a model refused files, in the provider's words."""
    for file_id in sorted(file_ids):
        values = {"file_id": file_id, "model": model, "words": words, "created_at": tx.now}
        tx.do(_NOTE, thread_id=thread_id, **values)


def forget(tx: Tx, thread_id: str, model: str, file_ids: Iterable[str]) -> None:
    """Delete the refusals of files that the model has taken now."""
    for file_id in sorted(file_ids):
        tx.do(_FORGET, thread_id=thread_id, file_id=file_id, model=model)


def copy(tx: Tx, thread_id: str, copy_id: str) -> None:
    """Copy a thread's refusals to its fork."""
    tx.do(_COPY, from_thread=thread_id, to_thread=copy_id)


def read(session: Session, thread_id: str, model: str) -> dict[str, str]:
    """Return what a model said of the files that it refused in a thread, by their ids."""
    rows = session.exec(
        select_rows(RefusedFileRow.file_id, RefusedFileRow.words).where(
            RefusedFileRow.thread_id == thread_id, RefusedFileRow.model == model
        )
    )
    return dict(rows.all())
