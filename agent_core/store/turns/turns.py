"""Create threads, and begin, resume and stop turns.

Each is one transaction that moves the thread's status and writes the wake-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypedDict

from sqlalchemy import select, update

from agent_core.domain.end_reasons import PASSED_OVER, STOPPED, End
from agent_core.domain.messages import Chunk
from agent_core.domain.states import THREAD as MOVES
from agent_core.domain.states import ThreadStatus, sources
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.errors import DuplicateMessageError, ThreadBusyError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.sql import LIST_FEED, MESSAGE, THREAD, P, Statement, dump, one_of, upsert
from agent_core.store.database.transaction import Turn, Tx
from agent_core.store.limits import admissions
from agent_core.store.threads import deltas, queued_messages
from agent_core.store.threads.messages import (
    SENT_BY_SCHEDULE,
    NewMessage,
    has_message,
    insert_message,
    is_sent,
    refuse_elsewhere,
    title_of,
)
from agent_core.store.threads.thread_row import LockedThread, lock, without_token
from agent_core.store.tool_calls import attempts, outcomes
from agent_core.store.turns import streams
from agent_core.support.faults import crash_point
from agent_core.support.ids import new_id

WhenBusy = Literal["reject", "queue", "interrupt", "end_wait"]
_t, _m = THREAD.c, MESSAGE.c

_NEW: dict[str, Any] = {
    **{n: P(n) for n in ("id", "agent", "title", "user_id", "meta", "created_at", "updated_at")},
    "status": ThreadStatus.COMPLETED.value,
    **dict.fromkeys(
        ("seq", "cursor", "trimmed_cursor", "turn_cursor", "attempt", "crashes", "steps", "reply_position"), 0
    ),
    **dict.fromkeys(("stop_signal", "pinned", "archived"), False),
}
# Two processes may create a thread at once: the second one waits, and then gets no row.
_CREATE = upsert(THREAD, _NEW, returning=[_t.id])
_BEGIN = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"))
    .values(
        status=ThreadStatus.STREAMING.value,
        reply_position=P("new_position"),
        reply_id=P("new_reply"),
        title=P("new_title"),
        turn_cursor=_t.cursor,
        trimmed_cursor=_t.turn_cursor,
        cursor=_t.cursor + 1,
        updated_at=P("now"),
        turn_started_at=P("now"),
        trace=P("new_trace"),
        turn_options=P("new_options"),
        stop_signal=False,
        **dict.fromkeys(("attempt", "crashes", "steps"), 0),
        **dict.fromkeys(("error", "error_kind", "error_info", "retry_state"), None),
    )
    .returning(_t.cursor)
)
_PLACE = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"))
    .values(reply_position=P("new_position"), title=P("new_title"))
)
_STOP = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"), one_of(_t.status, sources(MOVES, "stop")))
    .values(
        status=ThreadStatus.STOPPED.value,
        seq=_t.seq + 1,
        cursor=_t.cursor + 1,
        stop_signal=True,
        retry_state=None,
        updated_at=P("now"),
    )
    .returning(_t.cursor, _t.seq, _t.reply_id, _t.reply_position)
)
_LAST = Statement(
    select(_m.id, _m.role, _m.position)
    .where(_m.thread_id == P("thread_id"), _m.branch == 0, ~_m.queued)
    .order_by(_m.position.desc())
    .limit(1)
)


class _StoppedTurn(NamedTuple):
    cursor: int
    seq: int
    reply_id: str
    reply_position: int


class _Asked(TypedDict, total=False):
    is_scheduled: bool
    trace: str | None
    options: str | None


class LastMessage(NamedTuple):
    """Last message of a thread's shown path."""

    id: str
    role: str
    position: int


def create(
    tx: Tx,
    thread_id: str,
    *,
    agent: str,
    title: str | None,
    user_id: str | None,
    metadata: dict[str, Any],
    messages: Sequence[NewMessage] = (),
    run: bool = False,
    sent: str | None = None,
) -> None:
    """Store a new thread with its messages, and run it if `run`.

    The messages may be copies of another thread's, with their ids, except the one with the id `sent`.

    Raises:
        ValidationError: a thread with this id exists.
        DuplicateMessageError: the message `sent` is in another thread.
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
        last = messages[-1] if messages else None
        begin(tx, thread_id, lock(tx, thread_id), last=last)
    tx.touched |= {thread_id, LIST_FEED}
    crash_point("send.inside")


def add(tx: Tx, thread_id: str, message: NewMessage) -> float:
    """Store a message without running the thread; return when, in seconds since the epoch."""
    if lock(tx, thread_id).running:
        raise ThreadBusyError(sentence("thread_busy", thread=thread_id))
    refuse_elsewhere(tx, thread_id, message.id)
    _add(tx, thread_id, message)
    tx.touched.add(LIST_FEED)  # the thread moves to the top
    return tx.now


def _add(tx: Tx, thread_id: str, message: NewMessage) -> None:
    if has_message(tx, thread_id, message.id):
        raise DuplicateMessageError(sentence("message_exists", thread=thread_id, message=message.id))
    at = lock(tx, thread_id)
    keep(tx, thread_id)
    chunks = queued_messages.take(tx, thread_id, at.reply_position)
    position = at.reply_position + len(chunks) + 1
    chunks.append(insert_message(tx, thread_id, message, position))
    title = at.title or (title_of(message.parts) if message.role == "user" else None)
    tx.do(_PLACE, thread_id=thread_id, new_position=position, new_title=title)
    if title != at.title:
        chunks.append(deltas.thread_chunk(title=title))
    deltas.append(tx, thread_id, deltas.tick(tx, thread_id), chunks)


def send(tx: Tx, thread_id: str, message: NewMessage, when_busy: WhenBusy) -> float | None:
    """Store a person's message and begin its turn.

    Returns:
        when it was stored, in seconds since the epoch; None: it was sent before, and nothing is done.

    Raises:
        ThreadBusyError: the thread is running and `when_busy` does not end that.
        DuplicateMessageError: its id is that of another thread's message, or of an answer.
    """
    at = lock(tx, thread_id)
    if is_sent(tx, thread_id, message.id, at.reply_id):
        return None
    refuse_elsewhere(tx, thread_id, message.id)
    if at.running and when_busy == "queue":
        queued_messages.put(tx, thread_id, message)
    else:
        begin(tx, thread_id, make_idle(tx, thread_id, when_busy), message)
    crash_point("send.inside")
    return tx.now


def make_idle(tx: Tx, thread_id: str, when_busy: WhenBusy) -> LockedThread:
    """Lock a thread and return it idle: `when_busy` says whether to end its turn.

    Raises:
        ThreadBusyError: the thread is running, and its turn is not ended.
    """
    at = lock(tx, thread_id)
    if not at.running:
        return at
    if when_busy == "interrupt":
        stop(tx, thread_id)
    elif (
        when_busy == "end_wait"
        and at.status is ThreadStatus.AWAITING
        and not attempts.is_working(tx, thread_id)
    ):
        stop(tx, thread_id, PASSED_OVER)
    else:
        raise ThreadBusyError(sentence("thread_busy_for_sending", thread=thread_id))
    return lock(tx, thread_id)


def next_queued(tx: Tx, thread_id: str) -> bool:
    """Begin the turn of the oldest queued message; return whether there is one.

    Call it in the transaction that ends a turn, after the thread has become idle.
    """
    at = lock(tx, thread_id)
    chunks = queued_messages.take(tx, thread_id, at.reply_position, most=1)
    if chunks:
        is_scheduled = SENT_BY_SCHEDULE in chunks[0]["data"]["metadata"]
        place = at.reply_position + 2
        start(tx, thread_id, at, chunks, place, new_id("msg"), at.title, is_scheduled=is_scheduled)
    return bool(chunks)


def send_now(tx: Tx, thread_id: str, message_id: str) -> queued_messages.QueuedMessage:
    """Stop the turn in progress and begin that of a queued message; the other messages stay queued.

    Raises:
        ValidationError: the message is not queued.
    """
    lock(tx, thread_id)
    found = queued_messages.find(tx, thread_id, message_id)
    stop(tx, thread_id)
    keep(tx, thread_id)
    at = lock(tx, thread_id)
    chunk = queued_messages.take_one(tx, thread_id, found, at.reply_position + 1)
    start(tx, thread_id, at, [chunk], at.reply_position + 2, new_id("msg"), at.title)
    crash_point("send.inside")
    return found


def begin(
    tx: Tx,
    thread_id: str,
    at: LockedThread,
    message: NewMessage | None = None,
    *,
    last: NewMessage | None = None,
) -> None:
    """Begin a turn, with a new message or with those at the end of the thread.

    Messages that were queued during a turn that failed or was stopped come before the new one.

    Args:
        last: the message at the end, if it has just been stored.
    """
    keep(tx, thread_id)
    chunks = queued_messages.take(tx, thread_id, at.reply_position)
    position, title = at.reply_position + len(chunks), at.title
    if message is not None:
        position += 1
        title = title or title_of(message.parts)
        chunks.append(insert_message(tx, thread_id, message, position))
    new = position + 1, new_id("msg"), title
    start(tx, thread_id, at, chunks, *new, **_asked_by(message or last))


def _asked_by(message: NewMessage | None) -> _Asked:
    """Return what the sender of a message gives to its turn."""
    if message is None:
        return {}
    return {"is_scheduled": message.is_scheduled, "trace": message.trace, "options": message.options}


def start(
    tx: Tx,
    thread_id: str,
    at: LockedThread,
    chunks: list[Chunk],
    position: int,
    reply: str,
    title: str | None,
    *,
    is_scheduled: bool = False,
    trace: str | None = None,
    options: str | None = None,
) -> None:
    """Start the turn of an idle thread, with a reply at a position, and append the chunks of its new messages.

    Args:
        is_scheduled: whether a schedule has sent the message, which people's messages may pass.
        trace: the trace context of who starts it.
        options: what who starts it asks for, as JSON; see `TurnOptions`.
    """
    if at.turn_cursor:
        deltas.trim(tx, thread_id, at.turn_cursor)
    values = {"new_position": position, "new_reply": reply, "new_title": title}
    values |= {"new_trace": trace, "new_options": options}
    (cursor,) = tx.must(_BEGIN, thread_id=thread_id, **values, now=tx.now)
    chunks.append(
        deltas.thread_chunk(
            status=ThreadStatus.STREAMING,
            title=title,
            **dict.fromkeys(("error", "error_kind", "error_info", "retry_state"), None),
        )
    )
    deltas.append(tx, thread_id, cursor, chunks)
    tx.moved(thread_id, at.status, ThreadStatus.STREAMING, at.agent)
    tx.wake.enqueue(tx, step_key(thread_id), turn=Turn(at.user_id, is_scheduled))


def keep(tx: Tx, thread_id: str) -> None:
    """Keep the text of cut attempts as part of the history, and append that as deltas."""
    for kept in streams.keep_partial(tx, thread_id):
        cursor = deltas.tick(tx, thread_id)
        chunks: list[Chunk] = [{"type": "finish-step"}]
        deltas.append(tx, thread_id, cursor, chunks, seq=kept.seq, message_id=kept.message_id)


def resume(tx: Tx, thread_id: str, message: NewMessage | None) -> bool:
    """Run the interrupted step again, or begin a turn with `message`.

    Returns:
        False: the thread ends with a complete reply, so there is nothing to run.

    Raises:
        ThreadBusyError: the thread is running.
    """
    at = lock(tx, thread_id)
    if at.running:
        raise ThreadBusyError(sentence("thread_already_running", thread=thread_id))
    if message is not None:
        return send(tx, thread_id, message, "reject") is not None
    row = tx.one(_LAST, thread_id=thread_id)
    if row is None:
        return False
    last, is_completed = LastMessage(*row), at.status is ThreadStatus.COMPLETED
    if last.role == "assistant" and (is_completed or last.id != at.reply_id):
        return False
    if last.role != "assistant" and (is_completed or last.position != at.reply_position - 1):
        begin(tx, thread_id, at)
    else:
        assert at.reply_id is not None, "a turn that failed or stopped has its reply's id"
        start(
            tx,
            thread_id,
            at,
            [],
            at.reply_position,
            at.reply_id,
            at.title,
            trace=at.trace,
            options=at.turn_options,
        )
    return True


def stop(tx: Tx, thread_id: str, why: End = STOPPED) -> bool:
    """Stop a thread and raise its fence; return False if it was idle. `why` ends its open calls."""
    at = lock(tx, thread_id)
    row = tx.one(_STOP, thread_id=thread_id, now=tx.now)
    if row is None:
        return False
    turn = _StoppedTurn(*row)
    cut_seq = turn.seq - 1
    began = at.turn(thread_id)
    if at.reply_id is not None:
        admissions.publish_pause(tx, at.retry_state, at.reply_id, at.agent, began, stopped=True)
    tx.moved(thread_id, at.status, ThreadStatus.STOPPED, at.agent, began)
    chunks = streams.cut(tx, thread_id, cut_seq, turn.reply_position, STOPPED) or []
    chunks += [*outcomes.close_open(tx, thread_id, why), *streams.close_hosted(tx, thread_id)]
    tx.wake.drop(tx, thread_id)
    chunks.append(deltas.thread_chunk(status=ThreadStatus.STOPPED, retry_state=None))
    deltas.append(tx, thread_id, turn.cursor, chunks, seq=cut_seq, message_id=turn.reply_id)
    return True
