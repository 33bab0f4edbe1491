"""Remember what models refused: files in a thread until they take them, and requests above their windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import String, bindparam, delete, insert, select
from sqlmodel import Session
from sqlmodel import select as select_rows

from agent_core.store.database.sql import REFUSED_FILE, WINDOW, P, Statement, upsert
from agent_core.store.database.tables import RefusedFileRow, WindowRow
from agent_core.store.database.transaction import Tx

_r = REFUSED_FILE.c
_KEY = ["thread_id", "file_id", "model"]
_values = {name: P(name) for name in (*_KEY, "words", "created_at")}
_NOTE = upsert(REFUSED_FILE, _values, _KEY, {"words": P("words"), "created_at": P("created_at")})
_LEARN = upsert(
    WINDOW,
    {name: P(name) for name in ("model", "tokens", "learned_at")},
    ["model"],
    {"tokens": P("tokens"), "learned_at": P("learned_at")},
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


def note_files(tx: Tx, thread_id: str, model: str, file_ids: Iterable[str], words: str) -> None:
    """Remember that a model refused files, in the provider's words."""
    for file_id in sorted(file_ids):
        values = {"file_id": file_id, "model": model, "words": words, "created_at": tx.now}
        tx.do(_NOTE, thread_id=thread_id, **values)


def forget_files(tx: Tx, thread_id: str, model: str, file_ids: Iterable[str]) -> None:
    """Delete the refusals of files that the model has taken now."""
    for file_id in sorted(file_ids):
        tx.do(_FORGET, thread_id=thread_id, file_id=file_id, model=model)


def copy_files(tx: Tx, thread_id: str, copy_id: str) -> None:
    """Copy a thread's refusals to its fork."""
    tx.do(_COPY, from_thread=thread_id, to_thread=copy_id)


def read_files(session: Session, thread_id: str, model: str) -> dict[str, str]:
    """Return the errors with which a model refused files of a thread, by the ids of the files."""
    rows = session.exec(
        select_rows(RefusedFileRow.file_id, RefusedFileRow.words).where(
            RefusedFileRow.thread_id == thread_id, RefusedFileRow.model == model
        )
    )
    return dict(rows.all())


def learn_window(tx: Tx, model: str, tokens: int) -> None:
    """Remember the window that a provider named when it refused a request: most tokens of one."""
    tx.do(_LEARN, model=model, tokens=tokens, learned_at=tx.now)


def read_window(session: Session, model: str, since: float) -> int | None:
    """Return the window that was learned of a model since a moment, or None."""
    row = session.get(WindowRow, model)
    return row.tokens if row is not None and row.learned_at >= since else None
