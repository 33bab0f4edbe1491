"""Lock, change and share a thread's row."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlmodel import Session

from agent_core.domain.events.run_events import TurnStart
from agent_core.domain.states import RUNNING, ThreadStatus
from agent_core.domain.usage import COUNTS
from agent_core.errors import ThreadBusyError, ThreadNotFoundError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.sql import (
    STREAM,
    THREAD,
    P,
    Statement,
    dump,
    load,
)
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import absent_agents, deltas, usage_totals

SHARE = "share"
"""The key of a thread's read-only token in its metadata; a fork does not get it.

It is stored in a column with an index, so a change of the metadata can neither revoke nor create a token.
"""
MAX_MERGED_METADATA = 200_000  # characters of metadata, as JSON
_t = THREAD.c
_SHARING = Statement(select(_t.meta, _t.share).where(_t.id == P("thread_id")))
_SHARED = select(_t.id).where(_t.delete_at.is_(None))
_LOCK = Statement(
    select(
        *(_t.status, _t.reply_position, _t.cursor, _t.turn_cursor, _t.reply_id, _t.title, _t.seq, _t.agent),
        *(_t.delete_at, _t.user_id, _t.turn_started_at, _t.trace, _t.retry_state, _t.turn_options),
    )
    .where(_t.id == P("thread_id"))
    .with_for_update()
)
_s = STREAM.c
_of_step = (_s.thread_id == P("thread_id"), _s.seq == P("at_seq"))
_USED = Statement(select(_s.usage).where(*_of_step))
_ADD = Statement(update(STREAM).where(*_of_step).values(usage=P("new_usage")))


class LockedThread(NamedTuple):
    """The columns of a locked thread; see `ThreadRow`."""

    status: ThreadStatus
    reply_position: int
    cursor: int
    turn_cursor: int
    reply_id: str | None
    title: str | None
    seq: int
    agent: str
    delete_at: float | None
    user_id: str | None
    turn_started_at: float | None
    trace: str | None
    retry_state: str | None
    turn_options: str | None

    @property
    def running(self) -> bool:
        """Whether a turn is in progress."""
        return self.status in RUNNING

    def turn(self, thread_id: str) -> TurnStart | None:
        """Return the start of the newest turn; None if there was none."""
        if self.reply_id is None:
            return None
        return TurnStart(thread_id, self.reply_id, self.turn_cursor, self.turn_started_at, self.trace)


def lock(tx: Tx, thread_id: str, *, in_bin: bool = False) -> LockedThread:
    """Lock a thread's row and return it.

    Args:
        in_bin: whether a thread in the bin is returned, too.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    row = tx.one(_LOCK, thread_id=thread_id)
    thread = None if row is None else LockedThread(*row)
    if thread is None or not (in_bin or thread.delete_at is None):
        raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
    return thread._replace(status=ThreadStatus(thread.status))


def change(tx: Tx, thread_id: str, **values: Any) -> None:
    """Set columns (title, pinned, archived, metadata, agent, share) and append the change as a delta.

    The thread keeps its place in the list.

    Raises:
        ThreadNotFoundError: there is no such thread.
        ThreadBusyError: the agent cannot change during a turn, whose calls are this agent's, unless the turn
            waits for an agent that no process knows.
    """
    thread = lock(tx, thread_id)
    changes_agent = values.get("agent", thread.agent) != thread.agent
    if thread.running and changes_agent and not absent_agents.is_awaited(tx, thread_id):
        raise ThreadBusyError(sentence("thread_busy_for_agent", thread=thread_id))
    if changes_agent:
        usage_totals.count(tx, thread_id)  # for the agent that it had
    columns = {name: value for name, value in values.items() if name != "metadata"}
    if "metadata" in values:
        columns["meta"] = dump(without_token(values["metadata"]))
    write = update(THREAD).where(_t.id == P("thread_id")).values(**columns, cursor=_t.cursor + 1)
    returned = Statement(write.returning(_t.cursor, _t.meta, _t.share))
    cursor, meta, token = tx.must(returned, thread_id=thread_id)
    changed = {name: value for name, value in values.items() if name != SHARE}
    if len(changed) < len(values) or "metadata" in values:
        changed["metadata"] = with_token(load(meta), token)
    deltas.append(tx, thread_id, cursor, [deltas.thread_chunk(**changed)])


def write_title(tx: Tx, thread_id: str, seq: int, was: str, title: str, used: dict[str, Any]) -> bool:
    """Set the title of a thread if it is still `was`; return whether it was set.

    Args:
        seq: the model step to whose usage the request is added.
        was: the title that was cut from the first message.
        title: the new title; "" for none.
        used: tokens and cost of the request, by their names in the rows.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    at = lock(tx, thread_id)
    if used:
        _count(tx, thread_id, seq, used)
    if not title or at.title != was:
        return False
    change(tx, thread_id, title=title)
    return True


def _count(tx: Tx, thread_id: str, seq: int, used: dict[str, Any]) -> None:
    row = tx.one(_USED, thread_id=thread_id, at_seq=seq)
    if row is None:  # the stream was deleted
        return
    (usage,) = row
    before: dict[str, Any] = load(usage) or {}
    both = {name: _sum(before.get(name), used.get(name)) for name in (*COUNTS, "cost")}
    after = {**before, **both}
    tx.do(_ADD, thread_id=thread_id, at_seq=seq, new_usage=dump(after))
    usage_totals.correct(tx, thread_id, seq, before if usage is not None else None, after)


def _sum(one: Any, other: Any) -> Any:
    return one if other is None else (one or 0) + other


def merge_metadata(tx: Tx, thread_id: str, changes: dict[str, Any]) -> None:
    """Set keys of a thread's metadata; None deletes a key, and other keys stay.

    Raises:
        ThreadNotFoundError: there is no such thread.
        ValidationError: the metadata would be too long.
    """
    before, _ = _sharing(tx, thread_id)
    after = {key: value for key, value in (before | changes).items() if value is not None}
    if len(dump(after)) > MAX_MERGED_METADATA:
        raise ValidationError(sentence("metadata_too_long", most=MAX_MERGED_METADATA))
    if after != before:
        change(tx, thread_id, metadata=after)


def share(tx: Tx, thread_id: str) -> str:
    """Return the thread's token, and create it if there is none.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    _, known = _sharing(tx, thread_id)
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
    _, known = _sharing(tx, thread_id)
    if known is not None:
        change(tx, thread_id, share=None)


def shared_thread(session: Session, token: str) -> str | None:
    """Return the id of the thread with this token."""
    return session.connection().execute(_SHARED.where(_t.share == token)).scalar()


def _sharing(tx: Tx, thread_id: str) -> tuple[dict[str, Any], str | None]:
    lock(tx, thread_id)
    meta, token = tx.must(_SHARING, thread_id=thread_id)
    return load(meta), token


def with_token(metadata: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Return metadata with the token, if there is one."""
    shown = without_token(metadata)
    return shown if token is None else shown | {SHARE: token}


def without_token(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without the token, as it is stored."""
    return {key: value for key, value in metadata.items() if key != SHARE}
