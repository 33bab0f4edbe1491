"""Turns: begun by a message, resumed, stopped; and the thread's first one, with which it is made.

Each is one transaction that moves the state and writes the wake-up.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from agent_core.domain.end_reasons import PASSED_OVER, STOPPED, End
from agent_core.domain.messages import Chunk
from agent_core.domain.states import THREAD as MOVES
from agent_core.domain.states import ThreadStatus, sources
from agent_core.domain.wake_up_key import step_key
from agent_core.errors import DuplicateMessageError, ThreadBusyError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.columns import LIST_FEED, MESSAGE, THREAD, P, dump
from agent_core.store.database.statement import Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas, queued_messages
from agent_core.store.threads.messages import (
    NewMessage,
    has_message,
    insert_message,
    is_sent,
    refuse_elsewhere,
    title_of,
)
from agent_core.store.threads.share_token import without_token
from agent_core.store.threads.threads import Standing, lock
from agent_core.store.tool_calls import attempts, outcomes
from agent_core.store.turns import streams
from agent_core.support.faults import crash_point
from agent_core.support.ids import new_id

WhenBusy = Literal["reject", "queue", "interrupt", "end_wait"]
_t, _m = THREAD.c, MESSAGE.c

_NEW: dict[str, Any] = {
    **{n: P(n) for n in ("id", "agent", "title", "user_id", "meta", "created_at", "updated_at")},
    "status": "completed",
    **dict.fromkeys(
        ("seq", "cursor", "trimmed", "turn_cursor", "attempt", "crashes", "steps", "position"), 0
    ),
    **dict.fromkeys(("stop_signal", "pinned", "archived"), False),
}
# Two processes may make one thread at once: who comes second waits, and then there is no row for it.
_CREATE = Statement(
    insert(THREAD).values(**_NEW),
    sqlite=sqlite.insert(THREAD).values(**_NEW).on_conflict_do_nothing().returning(_t.id),
    postgresql=postgresql.insert(THREAD).values(**_NEW).on_conflict_do_nothing().returning(_t.id),
)
_BEGIN = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"))
    .values(
        status="streaming",
        position=P("new_position"),
        message_id=P("new_message"),
        title=P("new_title"),
        turn_cursor=_t.cursor,
        trimmed=_t.turn_cursor,
        cursor=_t.cursor + 1,
        updated_at=P("now"),
        stop_signal=False,
        **dict.fromkeys(("attempt", "crashes", "steps"), 0),
        **dict.fromkeys(("error", "error_kind", "error_info", "retry_state"), None),
    )
    .returning(_t.cursor)
)
_PLACE = Statement(
    update(THREAD).where(_t.id == P("thread_id")).values(position=P("new_position"), title=P("new_title"))
)
_STOP = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"), one_of(_t.status, sources(MOVES, "stop")))
    .values(
        status="stopped",
        seq=_t.seq + 1,
        cursor=_t.cursor + 1,
        stop_signal=True,
        retry_state=None,
        updated_at=P("now"),
    )
    .returning(_t.cursor, _t.seq, _t.message_id, _t.position)
)
_LAST = Statement(
    select(_m.id, _m.role, _m.position)
    .where(_m.thread_id == P("thread_id"), _m.branch == 0, ~_m.queued)
    .order_by(_m.position.desc())
    .limit(1)
)


def create(
    tx: Tx,
    thread_id: str,
    *,
    agent: str,
    title: str | None,
    user_id: str | None,
    metadata: dict[str, Any],
    messages: list[NewMessage],
    run: bool,
    sent: str | None = None,
) -> None:
    """Store a new thread with its messages, and run it if `run`.

    The messages may be copies of another thread's, with its ids, but for the one with the id `sent`.

    Raises:
        ValidationError: there is a thread with this id already.
        DuplicateMessageError: what is sent stands in another thread already.
    """
    if sent is not None:
        refuse_elsewhere(tx, thread_id, sent)
    made = tx.one(
        _CREATE,
        id=thread_id,
        agent=agent,
        title=title,
        user_id=user_id,
        meta=dump(without_token(metadata)),
        created_at=tx.now,
        updated_at=tx.now,
    )
    if made is None:
        raise ValidationError(f"There is a thread {thread_id!r} already; choose another id.")
    for message in messages:
        _add(tx, thread_id, message)
    if run:
        begin(tx, thread_id, lock(tx, thread_id))
    tx.touched |= {thread_id, LIST_FEED}
    crash_point("send.inside")


def add(tx: Tx, thread_id: str, message: NewMessage) -> float:
    """Store a message without running the thread; return when, in seconds since the epoch."""
    if lock(tx, thread_id).running:
        raise ThreadBusyError(sentence("thread_busy", thread=thread_id))
    refuse_elsewhere(tx, thread_id, message.id)
    _add(tx, thread_id, message)
    tx.touched.add(LIST_FEED)  # it has moved to the top
    return tx.now


def _add(tx: Tx, thread_id: str, message: NewMessage) -> None:
    if has_message(tx, thread_id, message.id):
        raise DuplicateMessageError(sentence("message_exists", thread=thread_id, message=message.id))
    at = lock(tx, thread_id)
    keep(tx, thread_id)
    chunks = queued_messages.take(tx, thread_id, at.position)
    position = at.position + len(chunks) + 1
    chunks.append(insert_message(tx, thread_id, message, position))
    title = at.title or (title_of(message.parts) if message.role == "user" else None)
    tx.do(_PLACE, thread_id=thread_id, new_position=position, new_title=title)
    if title != at.title:
        chunks.append(deltas.thread_chunk(title=title))
    deltas.append(tx, thread_id, deltas.tick(tx, thread_id), chunks)


def send(tx: Tx, thread_id: str, message: NewMessage, when_busy: WhenBusy) -> float | None:
    """Store a person's message and begin its turn.

    Returns:
        when it was stored, in seconds since the epoch; None: a message with this id stands already,
        so nothing was done.

    Raises:
        ThreadBusyError: the thread is running and `when_busy` does not end that.
        DuplicateMessageError: its id is that of another thread's message, or of an answer.
    """
    at = lock(tx, thread_id)
    if is_sent(tx, thread_id, message.id, at.message_id):
        return None
    refuse_elsewhere(tx, thread_id, message.id)
    if at.running and when_busy == "queue":
        queued_messages.put(tx, thread_id, message)
    else:
        begin(tx, thread_id, make_idle(tx, thread_id, when_busy), message)
    crash_point("send.inside")
    return tx.now


def make_idle(tx: Tx, thread_id: str, when_busy: WhenBusy) -> Standing:
    """Return how a thread stands that is idle now: it was, or `when_busy` ends its turn.

    Raises:
        ThreadBusyError: it is running, and goes on.
    """
    at = lock(tx, thread_id)
    if not at.running:
        return at
    if when_busy == "interrupt":
        stop(tx, thread_id)
    elif (
        when_busy == "end_wait" and at.status is ThreadStatus.AWAITING and not attempts.working(tx, thread_id)
    ):
        stop(tx, thread_id, PASSED_OVER)
    else:
        raise ThreadBusyError(sentence("thread_busy_for_sending", thread=thread_id))
    return lock(tx, thread_id)


def next_queued(tx: Tx, thread_id: str) -> bool:
    """Begin the turn of the oldest queued message; False if there is none.

    Called in the transaction that ends a turn, after the thread's status has become idle.
    """
    at = lock(tx, thread_id)
    chunks = queued_messages.take(tx, thread_id, at.position, most=1)
    if chunks:
        start(tx, thread_id, at, chunks, at.position + 2, new_id("msg"), at.title)
    return bool(chunks)


def send_now(tx: Tx, thread_id: str, message_id: str) -> tuple[NewMessage, float]:
    """Begin the turn of a queued message at once, whatever runs; the others go on waiting.

    Returns:
        the message, and when it was stored.

    Raises:
        ValidationError: it does not wait.
    """
    lock(tx, thread_id)
    found = queued_messages.find(tx, thread_id, message_id)
    stop(tx, thread_id)
    keep(tx, thread_id)
    at = lock(tx, thread_id)
    chunk = queued_messages.take_one(tx, thread_id, found, at.position + 1)
    start(tx, thread_id, at, [chunk], at.position + 2, new_id("msg"), at.title)
    crash_point("send.inside")
    return found


def begin(tx: Tx, thread_id: str, at: Standing, message: NewMessage | None = None) -> None:
    """Begin a turn: with a new message, or with the ones that stand at the end already.

    What was queued for a turn that failed or was stopped comes before the new message.
    """
    keep(tx, thread_id)
    chunks = queued_messages.take(tx, thread_id, at.position)
    position, title = at.position + len(chunks), at.title
    if message is not None:
        position += 1
        title = title or title_of(message.parts)
        chunks.append(insert_message(tx, thread_id, message, position))
    start(tx, thread_id, at, chunks, position + 1, new_id("msg"), title)


def start(
    tx: Tx, thread_id: str, at: Standing, chunks: list[Chunk], position: int, reply: str, title: str | None
) -> None:
    """Set an idle thread running.

    Args:
        tx: the transaction.
        thread_id: the thread.
        at: how it stands, its lock taken.
        chunks: what the readers are told besides.
        position: the place kept for the assistant's message, and
        reply: its id.
        title: the thread's title from here on.
    """
    if at.turn_cursor:
        deltas.trim(tx, thread_id, at.turn_cursor)
    (cursor,) = tx.must(
        _BEGIN, thread_id=thread_id, new_position=position, new_message=reply, new_title=title, now=tx.now
    )
    chunks.append(
        deltas.thread_chunk(
            status="streaming",
            title=title,
            **dict.fromkeys(("error", "error_kind", "error_info", "retry_state"), None),
        )
    )
    deltas.append(tx, thread_id, cursor, chunks)
    tx.moved(thread_id, at.status, "streaming", at.agent)
    tx.wake.enqueue(tx, step_key(thread_id), fresh=True)


def keep(tx: Tx, thread_id: str) -> None:
    """Make a lost attempt's text part of the history, and tell the readers so."""
    for seq, message_id in streams.keep_partial(tx, thread_id):
        deltas.append(
            tx,
            thread_id,
            deltas.tick(tx, thread_id),
            [{"type": "finish-step"}],
            seq=seq,
            message_id=message_id,
        )


def resume(tx: Tx, thread_id: str, message: NewMessage | None) -> bool:
    """Run the interrupted step again, or go on from `message`.

    Returns:
        False: the thread ends with a finished reply, so there is nothing to run.

    Raises:
        ThreadBusyError: the thread is running.
    """
    at = lock(tx, thread_id)
    if at.running:
        raise ThreadBusyError(sentence("thread_already_running", thread=thread_id))
    if message is not None:
        return send(tx, thread_id, message, "reject") is not None
    last = tx.one(_LAST, thread_id=thread_id)
    if last is None or (
        last[1] == "assistant" and (at.status is ThreadStatus.COMPLETED or last[0] != at.message_id)
    ):
        return False
    if last[1] != "assistant" and (at.status is ThreadStatus.COMPLETED or last[2] != at.position - 1):
        begin(tx, thread_id, at)
    else:
        assert at.message_id is not None, "a turn that failed or stopped has its reply's id"
        start(tx, thread_id, at, [], at.position, at.message_id, at.title)
    return True


def stop(tx: Tx, thread_id: str, why: End = STOPPED) -> bool:
    """Stop a thread and raise its fence; False if it was idle. `why` becomes the error of its open calls."""
    at = lock(tx, thread_id)
    row = tx.one(_STOP, thread_id=thread_id, now=tx.now)
    if row is None:
        return False
    cursor, seq, message_id, position = row
    tx.moved(thread_id, at.status, "stopped", at.agent)
    chunks = streams.cut(tx, thread_id, seq - 1, position, STOPPED) or []
    chunks += [*outcomes.close_open(tx, thread_id, why), *streams.close_hosted(tx, thread_id)]
    tx.wake.drop(tx, thread_id)
    chunks.append(deltas.thread_chunk(status="stopped", retry_state=None))
    deltas.append(tx, thread_id, cursor, chunks, seq=seq - 1, message_id=message_id)
    return True
