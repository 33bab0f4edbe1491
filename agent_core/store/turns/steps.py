"""Flush, commit, retry, fail and release model steps.

Every write has the fence (`seq`) in its WHERE. Claims and stops raise the fence, so a worker that has lost the
step writes nothing and learns of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from agent_core.domain.end_reasons import RELEASED, End, EndReason, failed
from agent_core.domain.events.outbox_events import EventType
from agent_core.domain.messages import Chunk, Part, StoredFile
from agent_core.domain.states import ThreadStatus
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.errors import PoisonedStepError
from agent_core.sentences import info_of
from agent_core.store.database.sql import THREAD, P, Statement, dump, dump_info
from agent_core.store.database.transaction import FenceLost, Tx
from agent_core.store.limits import admissions
from agent_core.store.threads import deltas, files, refusals, suspects
from agent_core.store.threads.messages import ensure_reply
from agent_core.store.tool_calls import calls
from agent_core.store.tool_calls.calls import NewCall
from agent_core.store.turns import imports, streams, turns
from agent_core.store.turns.claims import FENCE, Claim, fenced_move
from agent_core.support.faults import crash_point

_STREAMING, _AWAITING, _COMPLETED = ThreadStatus.STREAMING, ThreadStatus.AWAITING, ThreadStatus.COMPLETED
_t = THREAD.c


class ModelFiles(NamedTuple):
    """Ids of files that a model has refused or accepted."""

    model: str
    file_ids: Iterable[str]


_NO_FILES = ModelFiles("", ())


_HELD = Statement(select(_t.id).where(*FENCE).with_for_update())
_progress: dict[str, Any] = {"steps": _t.steps + 1, "attempt": 0, "crashes": 0}
_FLUSH = fenced_move("claim")
_FINISH = fenced_move("finish", **_progress)
_CALL_TOOLS = fenced_move("call_tools", **_progress)
_CONTINUE = fenced_move("claim", **_progress)
_RETRY = fenced_move("retry", attempt=_t.attempt + 1, retry_state=P("new_retry"))
_ENDS = {_AWAITING: _CALL_TOOLS, _STREAMING: _CONTINUE, _COMPLETED: _FINISH}
"""The write that moves the thread of a committed step, by the new status."""
_FAIL = fenced_move(
    "fail", retry_state=None, error=P("new_error"), error_kind=P("new_kind"), error_info=P("new_info")
)


def flush(tx: Tx, claimed: Claim, chunks: list[Chunk], first: bool) -> bool:
    """Append a delta for readers; return False, without a write, if the fence has moved on."""
    crash_point("delta.before")
    row = tx.one(_FLUSH, **claimed.fence, now=tx.now)
    if row is None:
        return False
    if first:
        _replace_lost_text(tx, claimed)
    (cursor,) = row
    deltas.append(tx, claimed.thread_id, cursor, chunks, seq=claimed.seq, message_id=claimed.message_id)
    crash_point("delta.after")
    return True


def _replace_lost_text(tx: Tx, claimed: Claim) -> None:
    """Replace the partial text of lost attempts; the statement looks at every step of the turn."""
    if not claimed.follows_commit:
        streams.replace_partial(tx, claimed.thread_id, claimed.seq)


def commit(
    tx: Tx,
    claimed: Claim,
    *,
    parts: list[Part],
    chunks: list[Chunk],
    new_calls: list[NewCall],
    usage: str | None,
    first: bool,
    accepted: ModelFiles = _NO_FILES,
    unsigned: str | None = None,
    paused: bool = False,
    metered: bool = False,
) -> int:
    """Commit a model step whole: its parts, its tool calls, the thread's status and the next wake-ups.

    Args:
        chunks: the chunks that were not flushed.
        new_calls: the tool calls; one with an error has its outcome already.
        usage: tokens and cost, as JSON.
        first: whether nothing was flushed before.
        accepted: files that the model had refused before and has now accepted.
        unsigned: the model, if it has answered only without its imported signatures.
        paused: whether the turn continues with another step although this one calls no tools.
        metered: whether there are limits or budgets, so that the usage is counted.

    Returns:
        the cursor of the step's last delta.

    Raises:
        FenceLost: the step has another owner; nothing was written.
    """
    thread_id, seq = claimed.thread_id, claimed.seq
    status = _AWAITING if new_calls else _STREAMING if paused else _COMPLETED
    moved = tx.ask(_ENDS[status], thread_id=thread_id, at_seq=seq, now=tx.now)
    kept = streams.ask_commit(tx, thread_id, seq, parts, usage, claimed.fingerprint)
    row = moved()
    if row is None or kept() is None:
        raise FenceLost
    (cursor,) = row
    crash_point("commit.inside")
    if claimed.steps == 0:
        ensure_reply(tx, thread_id, claimed.message_id, claimed.position)
    if first:
        _replace_lost_text(tx, claimed)
    refusals.forget_files(tx, thread_id, *accepted)
    if unsigned is not None:
        imports.forget_signatures(tx, thread_id, unsigned)
    _emit(tx, claimed, usage, ends_turn=status is _COMPLETED)
    _wake_next(tx, claimed, status)
    suspects.after_completion(tx, claimed.suspicion)
    if metered:
        admissions.end(tx, claimed, usage or "{}")
    outcomes = calls.create(tx, claimed.thread_id, seq, claimed.message_id, new_calls)
    if new_calls and all(call.error is not None for call in new_calls):  # nothing to wait for
        status = calls.advance(tx, thread_id)
    changed = deltas.thread_chunk(status=status, retry_state=None, error=None)
    chunks = [*chunks, {"type": "finish-step"}, *outcomes, changed]
    deltas.append(tx, thread_id, cursor, chunks, seq=seq, message_id=claimed.message_id)
    if status is _COMPLETED:
        turns.next_queued(tx, thread_id)
    return cursor


def _wake_next(tx: Tx, claimed: Claim, status: ThreadStatus) -> None:
    """Wake the turn's next step, or end the wake-up of this one."""
    if status is _STREAMING:
        tx.wake.enqueue(tx, step_key(claimed.thread_id))
    else:
        tx.wake.done(tx, step_key(claimed.thread_id))
        tx.moved(claimed.thread_id, _STREAMING, status, claimed.agent, claimed.turn)


def _emit(tx: Tx, claimed: Claim, usage: str | None, *, ends_turn: bool = False) -> None:
    """Write the events of a step; `usage` is its tokens and cost, as JSON, if there was a request."""
    thread_id, step = claimed.thread_id, claimed.seq
    streams.emit_usage(tx, thread_id, step, usage)
    if ends_turn:
        tx.emit(EventType.TURN_COMPLETED, thread_id, step=step, message_id=claimed.message_id)


def keep_file(tx: Tx, claimed: Claim, file: StoredFile) -> None:
    """Store a file of the step's answer in the thread.

    Raises:
        FenceLost: the step has another owner.
    """
    tx.fenced(_HELD, **claimed.fence)
    files.put(tx, claimed.thread_id, [file])


def retry(
    tx: Tx,
    claimed: Claim,
    rest: list[Chunk],
    state: dict[str, Any],
    usage: str | None = None,
    *,
    metered: bool = False,
) -> None:
    """End a failed attempt and schedule the next one at state["next_at"]; `metered` as in `commit`.

    Raises:
        FenceLost: the step has another owner.
    """
    (cursor,) = tx.fenced(_RETRY, **claimed.fence, new_retry=dump(state), now=tx.now)
    tx.wake.enqueue(tx, step_key(claimed.thread_id), state["next_at"])
    changed = deltas.thread_chunk(status=_STREAMING, retry_state=state)
    _cut(tx, claimed, cursor, failed(state["error"]), rest, changed, usage, metered=metered)


def fail(
    tx: Tx,
    claimed: Claim,
    error: str,
    kind: str,
    rest: list[Chunk],
    usage: str | None = None,
    *,
    refused: ModelFiles = _NO_FILES,
    metered: bool = False,
) -> None:
    """Fail the turn with an error for people; partial text is kept; `metered` as in `commit`.

    The files that the model refused with this error are stored with it.

    Raises:
        FenceLost: the step has another owner.
    """
    values = {"new_error": error, "new_kind": kind, "new_info": dump_info(error)}
    (cursor,) = tx.fenced(_FAIL, **claimed.fence, **values, now=tx.now)
    tx.moved(claimed.thread_id, _STREAMING, ThreadStatus.FAILED, claimed.agent, claimed.turn, kind, error)
    refusals.note_files(tx, claimed.thread_id, *refused, error)
    tx.wake.done(tx, step_key(claimed.thread_id), mine=False)
    poisoned = kind == PoisonedStepError.__name__
    if poisoned:
        suspects.after_seal(tx, step_key(claimed.thread_id))
    else:
        suspects.after_completion(tx, claimed.suspicion)
    failed_with = {"error": error, "error_kind": kind, "error_info": info_of(error)}
    changed = deltas.thread_chunk(status=ThreadStatus.FAILED, **failed_with, retry_state=None)
    why = End(EndReason.POISONED if poisoned else EndReason.ERROR, error)
    ends = streams.close_hosted(tx, claimed.thread_id)
    _cut(tx, claimed, cursor, why, rest, changed, usage, ends, metered=metered)


def release(tx: Tx, claimed: Claim, rest: list[Chunk], run_at: float) -> None:
    """Release an unfinished step, because its worker is closing; this is not a crash.

    Raises:
        FenceLost: the step has another owner.
    """
    (cursor,) = tx.fenced(_FLUSH, **claimed.fence, now=tx.now)
    tx.wake.enqueue(tx, step_key(claimed.thread_id), run_at)
    _cut(tx, claimed, cursor, RELEASED, rest, deltas.thread_chunk(status=_STREAMING))


def _cut(
    tx: Tx,
    claimed: Claim,
    cursor: int,
    why: End,
    rest: list[Chunk],
    changed: Chunk,
    usage: str | None = None,
    more: Sequence[Chunk] = (),
    *,
    metered: bool = False,
) -> None:
    if metered and usage is not None and streams.has_counts(usage):
        admissions.end(tx, claimed, usage)
    place = (claimed.thread_id, claimed.seq, claimed.position)
    ends = streams.cut(tx, *place, why, rest, usage, fingerprint=claimed.fingerprint) or []
    deltas.append(
        tx, claimed.thread_id, cursor, [*ends, *more, changed], seq=claimed.seq, message_id=claimed.message_id
    )
