"""What an application notes on a thread, key by key, and the token of who may read it."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from agent_core.errors import ValidationError
from agent_core.store.rows import THREAD, P, dump, load
from agent_core.store.statement import Statement
from agent_core.store.threads import change, lock
from agent_core.store.tx import Tx

SHARE = "share"
"""The key of a thread's metadata that holds its token; a fork does not get it."""

MOST = 200_000  # characters of metadata, as JSON
_t = THREAD.c
_META = Statement(select(_t.meta).where(_t.id == P("thread_id")))
_SHARED = select(_t.id, _t.meta).where(_t.delete_at.is_(None))


def merge(tx: Tx, thread_id: str, changes: dict[str, Any]) -> None:
    """Set the keys of a thread's metadata that are given, take out those that are None, leave the others.

    Raises:
        ThreadNotFoundError: there is no such thread.
        ValidationError: all of it would be too long.
    """
    before = _metadata(tx, thread_id)
    after = {key: value for key, value in (before | changes).items() if value is not None}
    if len(dump(after)) > MOST:
        raise ValidationError(f"The metadata of a thread is at most {MOST:,} characters of JSON.")
    if after != before:
        change(tx, thread_id, metadata=after)


def share(tx: Tx, thread_id: str) -> str:
    """Return the thread's token; it gets one if it has none."""
    known = _metadata(tx, thread_id).get(SHARE)
    if isinstance(known, str) and known:
        return known
    token = secrets.token_urlsafe(32)
    merge(tx, thread_id, {SHARE: token})
    return token


def thread_of(session: Session, token: str) -> str | None:
    """Return the id of the thread with this token.

    Threads are looked through for it: a link is opened now and then, and an index would cost every write.
    """
    if not token:
        return None
    found = _SHARED.where(_t.meta.contains(dump({SHARE: token})[1:-1], autoescape=True))
    for thread_id, meta in session.connection().execute(found):
        if load(meta).get(SHARE) == token:
            return thread_id
    return None


def _metadata(tx: Tx, thread_id: str) -> dict[str, Any]:
    lock(tx, thread_id)
    (meta,) = tx.must(_META, thread_id=thread_id)
    return load(meta)
