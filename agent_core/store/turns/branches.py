"""Edit, regenerate and select branches: the messages of a thread are a tree, of which one path is shown.

Messages that leave the shown path are put aside together, under a branch number of their own (0 is the shown
path). So the messages of a branch are a path, too: the parent of each is the one before it, and the parent of the
first is in another branch. To show a branch again, the messages that lead to it are moved back, branch by branch,
and then those that were behind them when they were last shown.

Nothing is deleted: streams and tool calls belong to their message. Followers get a new snapshot, because the
deltas from before the change are deleted.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select, update

from agent_core.domain.states import THREAD as MOVES
from agent_core.domain.states import StreamStatus, ThreadStatus, sources
from agent_core.errors import MessageNotFoundError, ThreadBusyError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.sql import CALL, LIST_FEED, MESSAGE, STREAM, THREAD, P, Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas
from agent_core.store.threads.messages import (
    NewMessage,
    has_message,
    insert_message,
    is_sent,
    refuse_elsewhere,
    title_of,
)
from agent_core.store.threads.thread_row import LockedThread, lock
from agent_core.store.turns import turns
from agent_core.support.faults import crash_point
from agent_core.support.ids import new_id

ROOT = ""
"""Parent of the first message of a thread."""
_SHOWN = 0
_END = 2_000_000_000  # behind every position

_t, _m, _s, _c = THREAD.c, MESSAGE.c, STREAM.c, CALL.c
_of_thread = _m.thread_id == P("thread_id")
_path = (_of_thread, _m.branch == P("in_branch"), ~_m.queued)
_FIND = Statement(
    select(_m.role, _m.position, _m.branch, _m.queued, _m.parent_id).where(
        _of_thread, _m.id == P("message_id")
    )
)
_PARENT_OF = Statement(select(_m.parent_id).where(*_path).order_by(_m.position).limit(1))
_LAST = Statement(select(_m.id, _m.role, _m.position).where(*_path).order_by(_m.position.desc()).limit(1))
_TAKE_OUT = Statement(update(MESSAGE).where(*_path, _m.position <= P("up_to")).values(branch=_SHOWN))
_PUT_ASIDE = Statement(
    update(MESSAGE).where(*_path, _m.position >= P("first")).values(branch=P("new_branch"))
)
_LEAVE = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"))
    .values(
        seq=_t.seq + 1,
        updated_at=P("now"),
        **dict.fromkeys(("cursor", "trimmed_cursor", "turn_cursor"), _t.cursor + 1),
    )
    .returning(_t.cursor)
)
_SETTLE = {
    event: Statement(
        update(THREAD)
        .where(_t.id == P("thread_id"), one_of(_t.status, sources(MOVES, event)))
        .values(
            status=status,
            reply_position=P("new_position"),
            reply_id=P("new_reply"),
            **dict.fromkeys(("error", "error_kind", "error_info", "retry_state"), None),
            **dict.fromkeys(("attempt", "crashes"), 0),
        )
    )
    for event, status in (
        ("show", ThreadStatus.COMPLETED.value),
        ("show_unfinished", ThreadStatus.STOPPED.value),
    )
}
_WRITTEN = Statement(select(_m.id).where(_of_thread, _m.id == P("message_id"), _m.parts != "[]"))
_NEWEST = Statement(
    select(_s.seq, _s.status, _s.error)
    .where(_s.thread_id == P("thread_id"), _s.message_id == P("message_id"))
    .order_by(_s.seq.desc())
    .limit(1)
)
_ASKED = Statement(
    select(_c.id)
    .where(_c.thread_id == P("thread_id"), _c.message_id == P("message_id"), _c.seq == P("at_seq"))
    .limit(1)
)


class Place(NamedTuple):
    """The place of a message in the tree."""

    role: str
    position: int
    branch: int
    queued: bool
    parent_id: str | None


class _Segment(NamedTuple):
    """The messages of a branch up to a position."""

    branch: int
    up_to: int


class _Path(NamedTuple):
    """The segments to show, last one first, from a position of the shown path on."""

    segments: list[_Segment]
    first: int


def edit(tx: Tx, thread_id: str, message_id: str, message: NewMessage) -> None:
    """Put a person's message and all after it aside; `message` takes its place and begins a turn.

    Queued messages stay queued until the new turn has ended.

    Raises:
        ThreadNotFoundError, ThreadBusyError
        ValidationError: the message is unknown, not shown, or not a person's.
    """
    _idle(tx, thread_id)
    place = shown_place(tx, thread_id, message_id)
    if place.role != "user":
        raise ValidationError(
            f"The message {message_id!r} is of the role {place.role}; only a user's message is edited."
        )
    _put_aside(tx, thread_id, place.position)
    chunk = insert_message(tx, thread_id, message, place.position)
    at = lock(tx, thread_id)
    title = at.title or title_of(message.parts)
    new = place.position + 1, new_id("msg"), title
    turns.start(tx, thread_id, at, [chunk], *new, trace=message.trace, options=message.options)
    crash_point("send.inside")


def send_after(
    tx: Tx, thread_id: str, after: str, message: NewMessage, when_busy: turns.WhenBusy
) -> float | None:
    """Store a person's message behind the message `after` and begin its turn; `turns.send` does so at the end.

    Messages that are shown behind `after` are put aside; a branch that is not shown is shown up to it.

    Args:
        after: a message of any branch, or ROOT.
        when_busy: effect on a turn in progress; see `turns.make_idle`.

    Raises:
        ThreadNotFoundError, ThreadBusyError
        MessageNotFoundError: there is no message `after`.
    """
    if is_sent(tx, thread_id, message.id, lock(tx, thread_id).reply_id):
        return None
    refuse_elsewhere(tx, thread_id, message.id)
    at = turns.make_idle(tx, thread_id, when_busy)
    if _is_last(tx, thread_id, after, at):
        turns.begin(tx, thread_id, at, message)
    else:
        position = _show_up_to(tx, thread_id, after, at)
        chunk = insert_message(tx, thread_id, message, position)
        at = lock(tx, thread_id)
        new = position + 1, new_id("msg"), at.title or title_of(message.parts)
        turns.start(tx, thread_id, at, [chunk], *new, trace=message.trace, options=message.options)
    crash_point("send.inside")
    return tx.now


def _is_last(tx: Tx, thread_id: str, after: str, at: LockedThread) -> bool:
    """Whether nothing is shown behind a message; a reply without any text has no row, and is the last."""
    row = tx.one(_LAST, thread_id=thread_id, in_branch=_SHOWN)
    if after == ROOT or row is None:
        return row is None
    if after == turns.LastMessage(*row).id or (
        after == at.reply_id and not has_message(tx, thread_id, after)
    ):
        return True
    return find(tx, thread_id, after).queued


def _show_up_to(tx: Tx, thread_id: str, after: str, at: LockedThread) -> int:
    """Show the path to a message and nothing behind it; return the free position behind it."""
    if after == ROOT:
        _put_aside(tx, thread_id, 0)
        return 1
    place = find(tx, thread_id, after)
    if place.branch == _SHOWN:
        _put_aside(tx, thread_id, place.position + 1)
    else:
        path = _path_to(tx, thread_id, place.branch)
        segments = [_Segment(place.branch, place.position), *path.segments[1:]]
        _show(tx, thread_id, _Path(segments, path.first), at)
        turns.keep(tx, thread_id)
    return place.position + 1


def regenerate(
    tx: Tx,
    thread_id: str,
    message_id: str,
    when_busy: turns.WhenBusy = "reject",
    *,
    anywhere: bool = False,
) -> None:
    """Put an answer and all after it aside, and begin a turn from the message before.

    Unlike other replies, the new one has its row at once: if it stays empty, its alternatives can still be found.

    Args:
        message_id: the answer, or the message that was answered.
        when_busy: effect on a turn in progress; see `turns.make_idle`.
        anywhere: whether the message may be in a branch that is not shown, which is shown then.

    Raises:
        ThreadNotFoundError, ThreadBusyError
        ValidationError: the message is unknown, not shown, or there is nothing to answer.
    """
    at = turns.make_idle(tx, thread_id, when_busy)
    place = find(tx, thread_id, message_id) if anywhere else shown_place(tx, thread_id, message_id)
    asked = place.parent_id if place.role == "assistant" else message_id
    if place.role == "system" or asked is None:
        raise ValidationError(sentence("nothing_to_answer", message=message_id))
    if place.branch == _SHOWN:
        position = place.position + (place.role == "user")
        _put_aside(tx, thread_id, position)
    else:
        position = _show_up_to(tx, thread_id, asked, at)
    reply = new_id("msg")
    chunk = insert_message(tx, thread_id, NewMessage(reply, "assistant", [], {}), position)
    at = lock(tx, thread_id)
    turns.start(tx, thread_id, at, [chunk], position, reply, at.title)
    crash_point("send.inside")


def select_branch(tx: Tx, thread_id: str, message_id: str) -> None:
    """Show the branch of a message as it was last shown, and put the present one aside.

    A branch whose last reply is incomplete makes the thread "stopped", so that it can be resumed; any other makes
    it "completed". If the message is shown, nothing happens.

    Raises:
        ThreadNotFoundError, ThreadBusyError
        MessageNotFoundError: there is no such message.
    """
    at = _idle(tx, thread_id)
    place = find(tx, thread_id, message_id)
    if place.branch == _SHOWN:
        return
    _show(tx, thread_id, _path_to(tx, thread_id, place.branch), at)
    crash_point("send.inside")


def _show(tx: Tx, thread_id: str, path: _Path, at: LockedThread) -> None:
    """Show a path in place of the messages that are shown from its first position on."""
    _put_aside(tx, thread_id, path.first)
    for segment in path.segments:
        tx.do(_TAKE_OUT, thread_id=thread_id, in_branch=segment.branch, up_to=segment.up_to)
    last = turns.LastMessage(*tx.must(_LAST, thread_id=thread_id, in_branch=_SHOWN))
    reply = last.id if last.role == "assistant" else None
    event, status = "show", ThreadStatus.COMPLETED
    if not is_complete(tx, thread_id, reply):
        event, status = "show_unfinished", ThreadStatus.STOPPED
    tx.do(_SETTLE[event], thread_id=thread_id, new_position=last.position, new_reply=reply)
    if status != at.status:
        tx.moved(thread_id, at.status, status, at.agent)


def find(tx: Tx, thread_id: str, message_id: str) -> Place:
    """Return the place of a message.

    Raises:
        MessageNotFoundError: there is no such message.
    """
    row = tx.one(_FIND, thread_id=thread_id, message_id=message_id)
    if row is None:
        raise MessageNotFoundError(sentence("message_not_in_thread", message=message_id, thread=thread_id))
    return Place(*row)


def shown_place(tx: Tx, thread_id: str, message_id: str) -> Place:
    """Return the place of a shown message.

    Raises:
        MessageNotFoundError: there is no such message.
        ValidationError: it is queued, or in another branch.
    """
    place = find(tx, thread_id, message_id)
    if place.queued:
        raise ValidationError(sentence("message_queued", message=message_id))
    if place.branch != _SHOWN:
        raise ValidationError(sentence("message_not_shown", message=message_id))
    return place


def is_complete(tx: Tx, thread_id: str, reply: str | None) -> bool:
    """Whether a reply ends with an answer; True if there is no reply (None)."""
    newest = tx.one(_NEWEST, thread_id=thread_id, message_id=reply) if reply is not None else None
    if reply is None:
        return True
    if newest is None:  # the application has written it, or no step has begun
        return tx.one(_WRITTEN, thread_id=thread_id, message_id=reply) is not None
    seq, status, error = newest
    asked = tx.one(_ASKED, thread_id=thread_id, message_id=reply, at_seq=seq)
    return status == StreamStatus.COMMITTED and error is None and asked is None


def _idle(tx: Tx, thread_id: str) -> LockedThread:
    at = lock(tx, thread_id)
    if at.running:
        raise ThreadBusyError(sentence("thread_busy", thread=thread_id))
    return at


def _path_to(tx: Tx, thread_id: str, branch: int) -> _Path:
    """Return the path from the shown messages to the end of a branch."""
    segments = [_Segment(branch, _END)]
    while True:
        (parent_id,) = tx.must(_PARENT_OF, thread_id=thread_id, in_branch=branch)
        if parent_id is None:
            return _Path(segments, 0)
        parent = find(tx, thread_id, parent_id)
        if parent.branch == _SHOWN:
            return _Path(segments, parent.position + 1)
        branch = parent.branch
        segments.append(_Segment(branch, parent.position))


def _put_aside(tx: Tx, thread_id: str, first: int) -> None:
    """Put the shown messages from the position `first` on aside, and delete the deltas.

    The new cursor, which is unique, becomes the branch number. The fence is raised, so that no process uses the
    history that it has cached of the old branch.
    """
    (cursor,) = tx.must(_LEAVE, thread_id=thread_id, now=tx.now)
    tx.do(_PUT_ASIDE, thread_id=thread_id, in_branch=_SHOWN, first=first, new_branch=cursor)
    deltas.trim(tx, thread_id, cursor)
    tx.touched |= {thread_id, LIST_FEED}
