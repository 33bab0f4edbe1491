"""Store an exported thread as a new one, without running it.

Its answers are stored in their messages' rows, like those that an application has written, with the signatures of
their providers. Followers do not get the signatures: they begin with a snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from agent_core.domain.messages import StoredFile
from agent_core.domain.signatures import parts_without_imported
from agent_core.store.database.sql import MESSAGE, THREAD, P, Statement, dump, load
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import files
from agent_core.store.threads.messages import NewMessage, store_message, title_of
from agent_core.store.turns import turns

_t, _m = THREAD.c, MESSAGE.c
_SETTLE = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"))
    .values(
        reply_position=P("new_position"),
        **dict.fromkeys(("cursor", "trimmed_cursor", "turn_cursor"), 1),  # followers begin with a snapshot
    )
)
_WRITTEN = Statement(
    select(_m.id, _m.parts).where(_m.thread_id == P("thread_id"), _m.role == "assistant", _m.parts != "[]")
)
_REWRITE = Statement(
    update(MESSAGE)
    .where(_m.thread_id == P("thread_id"), _m.id == P("message_id"))
    .values(parts=P("new_parts"))
)


def store(
    tx: Tx,
    thread_id: str,
    *,
    agent: str,
    title: str | None,
    user_id: str | None,
    metadata: dict[str, Any],
    messages: Sequence[tuple[NewMessage, float]],
    attached: Sequence[StoredFile],
) -> None:
    """Store an imported thread.

    Args:
        title: the title; None: taken from the first message of a person.
        messages: each with the time when it was written, in seconds since the epoch.
    """
    if title is None:
        title = next((title_of(message.parts) for message, _ in messages if message.role == "user"), None)
    turns.create(tx, thread_id, agent=agent, title=title, user_id=user_id, metadata=metadata)
    files.put(tx, thread_id, attached)
    for position, (message, created_at) in enumerate(messages, 1):
        store_message(tx, thread_id, message, position, created_at)
    tx.do(_SETTLE, thread_id=thread_id, new_position=len(messages))


def forget_signatures(tx: Tx, thread_id: str, model: str) -> None:
    """Delete the imported signatures of a model, which its provider has refused."""
    for message_id, stored in tx.all(_WRITTEN, thread_id=thread_id):
        parts = load(stored)
        if (kept := parts_without_imported(parts, model)) != parts:
            tx.do(_REWRITE, thread_id=thread_id, message_id=message_id, new_parts=dump(kept))
