"""Merge a thread's metadata, and share the thread by a token."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from agent_core.errors import ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.columns import THREAD, P, dump, load
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.threads.thread_row import change, lock

MAX_METADATA = 200_000  # characters of metadata, as JSON
_t = THREAD.c
_KNOWN = Statement(select(_t.meta, _t.share).where(_t.id == P("thread_id")))
_SHARED = select(_t.id).where(_t.delete_at.is_(None))


def merge(tx: Tx, thread_id: str, changes: dict[str, Any]) -> None:
    """Set keys of a thread's metadata; None deletes a key, and other keys stay.

    Raises:
        ThreadNotFoundError: there is no such thread.
        ValidationError: the metadata would be too long.
    """
    before, _ = _known(tx, thread_id)
    after = {key: value for key, value in (before | changes).items() if value is not None}
    if len(dump(after)) > MAX_METADATA:
        raise ValidationError(sentence("metadata_too_long", most=MAX_METADATA))
    if after != before:
        change(tx, thread_id, metadata=after)


def share(tx: Tx, thread_id: str) -> str:
    """Return the thread's token, and create it if there is none.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    _, known = _known(tx, thread_id)
    if known is not None:
        return known
    token = secrets.token_urlsafe(32)
    change(tx, thread_id, share=token)
    return token


def unshare(tx: Tx, thread_id: str) -> None:
    """Revoke the thread's token, if it has one.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    _, known = _known(tx, thread_id)
    if known is not None:
        change(tx, thread_id, share=None)


def thread_of(session: Session, token: str) -> str | None:
    """Return the id of the thread with this token."""
    return session.connection().execute(_SHARED.where(_t.share == token)).scalar()


def _known(tx: Tx, thread_id: str) -> tuple[dict[str, Any], str | None]:
    lock(tx, thread_id)
    meta, token = tx.must(_KNOWN, thread_id=thread_id)
    return load(meta), token
