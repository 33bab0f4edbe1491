"""Claim, flush, commit, retry, fail and release model steps.

Every write has the fence (`seq`) in its WHERE. Claims and stops raise the fence, so a worker that has lost the
step writes nothing and learns of it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, exists, literal_column, select, update

from agent_core.domain.end_reasons import PROCESS_ENDED, RELEASED, End, EndReason, failed
from agent_core.domain.messages import Chunk, Part, StoredFile
from agent_core.domain.states import THREAD as MOVES
from agent_core.domain.states import ThreadStatus, sources
from agent_core.domain.work.suspects import Suspicion
from agent_core.domain.work.wake_up_key import step_key
from agent_core.errors import PoisonedStepError
from agent_core.sentences import info_of
from agent_core.store.database.sql import THREAD, WAKE_UP, P, Statement, dump, dump_info, one_of
from agent_core.store.database.transaction import FenceLost, Tx
from agent_core.store.limits import admissions
from agent_core.store.threads import deltas, files, refusals, suspects
from agent_core.store.threads.messages import ensure_reply
from agent_core.store.tool_calls import calls
from agent_core.store.tool_calls.calls import NewCall, UnknownAgent
from agent_core.store.turns import imports, streams, turns
from agent_core.support.faults import crash_point

_STREAMING, _AWAITING, _COMPLETED = ThreadStatus.STREAMING, ThreadStatus.AWAITING, ThreadStatus.COMPLETED
_t = THREAD.c
_mine = (_t.id == P("thread_id"), _t.seq == P("at_seq"))


class ModelFiles(NamedTuple):
    """Ids of files that a model has refused or accepted."""

    model: str
    file_ids: Iterable[str]


_NO_FILES = ModelFiles("", ())


class Claim(NamedTuple):
    """The right to run a model step, valid as long as the thread has the same `seq`.

    Attributes:
        message_id, position: of the reply.
        taken_from: the worker of the last attempt, if that was still open when its process died.
        follows_commit: whether the last attempt was committed, in the same reply: no lost text is left then.
        claimed_at: seconds since the epoch.
        fingerprint: of the agent, once it is made.
    """

    thread_id: str
    seq: int
    message_id: str
    attempt: int
    suspicion: Suspicion | None
    steps: int
    agent: str
    user_id: str | None
    position: int
    taken_from: str | None = None
    follows_commit: bool = False
    claimed_at: float = 0.0
    fingerprint: str | None = None

    @property
    def fence(self) -> dict[str, Any]:
        """The values of the fence in a statement."""
        return {"thread_id": self.thread_id, "at_seq": self.seq}

    @property
    def crashes(self) -> int:
        """Number of processes that died while this step was the only suspect in them."""
        return self.suspicion.crashes if self.suspicion is not None else 0


class _ClaimedRow(NamedTuple):
    seq: int
    reply_id: str
    attempt: int
    company: int | None
    steps: int
    agent: str
    user_id: str | None
    reply_position: int
    retry_state: str | None
    open_worker: str | None
    follows_commit: bool


# In SQL, because SQLAlchemy omits the tables' names in SQLite's RETURNING, and both tables have a `seq`.
_LAST_ATTEMPT = "FROM agent_stream AS s WHERE s.thread_id = agent_thread.id AND s.seq = agent_thread.seq - 1"
_open_attempt: ColumnElement[Any] = literal_column(
    f"(SELECT s.worker {_LAST_ATTEMPT} AND s.status = 'streaming')"
)
_follows_commit: ColumnElement[Any] = literal_column(
    f"EXISTS (SELECT 1 {_LAST_ATTEMPT} AND s.status = 'committed' AND s.message_id = agent_thread.message_id)"
)
_CLAIM = Statement(
    update(THREAD)
    .where(
        _t.id == P("thread_id"),
        one_of(_t.status, sources(MOVES, "claim")),
        exists(select(WAKE_UP.c.id).where(WAKE_UP.c.id == P("key"), WAKE_UP.c.worker == P("worker"))),
    )
    .values(seq=_t.seq + 1)
    .returning(
        *(
            _t.seq,
            _t.reply_id,
            _t.attempt,
            select(WAKE_UP.c.company).where(WAKE_UP.c.id == P("key")).scalar_subquery(),
            _t.steps,
            _t.agent,
            _t.user_id,
            _t.reply_position,
            _t.retry_state,
            _open_attempt,  # the worker of the last attempt, if that is still open
            _follows_commit,
        )
    )
)
_HELD = Statement(select(_t.id).where(*_mine).with_for_update())
_LOCK = Statement(select(_t.id).where(_t.id == P("thread_id")).with_for_update())


def _move(event: str, **values: Any) -> Statement:
    (status,) = set(MOVES[event].values())
    return Statement(
        update(THREAD)
        .where(*_mine, one_of(_t.status, sources(MOVES, event)))
        .values(status=status.value, cursor=_t.cursor + 1, updated_at=P("now"), **values)
        .returning(_t.cursor)
    )


_progress: dict[str, Any] = {"steps": _t.steps + 1, "attempt": 0, "crashes": 0}
_FLUSH = _move("claim")
_FINISH = _move("finish", **_progress)
_CALL_TOOLS = _move("call_tools", **_progress)
_CONTINUE = _move("claim", **_progress)
_RETRY = _move("retry", attempt=_t.attempt + 1, retry_state=P("new_retry"))
_ENDS = {_AWAITING: _CALL_TOOLS, _STREAMING: _CONTINUE, _COMPLETED: _FINISH}
"""The write that moves the thread of a committed step, by the new status."""
_CLEAR_RETRY = _move("claim", retry_state=None)
_FAIL = _move(
    "fail", retry_state=None, error=P("new_error"), error_kind=P("new_kind"), error_info=P("new_info")
)


def claim(tx: Tx, thread_id: str, worker: str, agents: Container[str]) -> Claim | None:
    """Claim a thread's next model step for `worker`, which must hold the lease of its wake-up.

    An attempt that is still open has lost its process; its text is kept until the first token of this one.

    Returns:
        None: there is no step to run, or another worker has it.

    Raises:
        UnknownAgent: the thread's agent is not among `agents`.
    """
    key = step_key(thread_id)
    # The lock is a statement of its own: one that waits for it sees other rows as they were when it began.
    tx.lock(_LOCK, thread_id=thread_id)
    row = tx.one(_CLAIM, thread_id=thread_id, key=str(key), worker=worker)
    if row is None:
        tx.wake.done(tx, key)
        return None
    crash_point("claim.before")  # only of a real claim: a wake-up may come again, when tools run already
    thread = _ClaimedRow(*row)
    if thread.agent not in agents:
        raise UnknownAgent(thread.agent)
    if thread.open_worker is not None:
        _cut_lost_attempt(tx, thread_id, thread)
    attempt = thread.attempt + 1
    streams.open_stream(tx, thread_id, thread.seq, message_id=thread.reply_id, worker=worker, attempt=attempt)
    if thread.retry_state is not None:
        (cursor,) = tx.must(_CLEAR_RETRY, thread_id=thread_id, at_seq=thread.seq, now=tx.now)
        deltas.append(tx, thread_id, cursor, [deltas.thread_chunk(status=_STREAMING, retry_state=None)])
    return Claim(
        thread_id,
        thread.seq,
        thread.reply_id,
        attempt,
        suspects.read(tx, key) if thread.company is not None else None,
        thread.steps,
        thread.agent,
        thread.user_id,
        thread.reply_position,
        taken_from=thread.open_worker,
        follows_commit=bool(thread.follows_commit),
        claimed_at=tx.now,
    )


def _cut_lost_attempt(tx: Tx, thread_id: str, thread: _ClaimedRow) -> None:
    seq = thread.seq - 1
    ended = deltas.last_flush(tx, thread_id, seq)
    ends = streams.cut(tx, thread_id, seq, thread.reply_position, PROCESS_ENDED, ended=ended)
    if ends:
        cursor = deltas.tick(tx, thread_id)
        deltas.append(tx, thread_id, cursor, ends, seq=seq, message_id=thread.reply_id)


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
    if status is _STREAMING:
        tx.wake.enqueue(tx, step_key(thread_id))
    else:
        tx.wake.done(tx, step_key(thread_id))
        tx.moved(thread_id, _STREAMING, status, claimed.agent)
    suspects.after_completion(tx, claimed.suspicion)
    if metered:
        admissions.end(tx, claimed, usage)
    outcomes = calls.create(tx, claimed.thread_id, seq, claimed.message_id, new_calls)
    if new_calls and all(call.error is not None for call in new_calls):  # nothing to wait for
        status = calls.advance(tx, thread_id)
    changed = deltas.thread_chunk(status=status, retry_state=None, error=None)
    chunks = [*chunks, {"type": "finish-step"}, *outcomes, changed]
    deltas.append(tx, thread_id, cursor, chunks, seq=seq, message_id=claimed.message_id)
    if status is _COMPLETED:
        turns.next_queued(tx, thread_id)
    return cursor


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
    if metered:
        admissions.end(tx, claimed, usage)
    _cut(tx, claimed, cursor, failed(state["error"]), rest, changed, usage)


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
    tx.moved(claimed.thread_id, _STREAMING, ThreadStatus.FAILED, claimed.agent)
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
    if metered:
        admissions.end(tx, claimed, usage)
    _cut(tx, claimed, cursor, why, rest, changed, usage, ends)


def release(tx: Tx, claimed: Claim, rest: list[Chunk], run_at: float, *, metered: bool = False) -> None:
    """Release an unfinished step, because its worker is closing; this is not a crash; `metered` as in `commit`.

    Raises:
        FenceLost: the step has another owner.
    """
    (cursor,) = tx.fenced(_FLUSH, **claimed.fence, now=tx.now)
    tx.wake.enqueue(tx, step_key(claimed.thread_id), run_at)
    if metered:
        admissions.end(tx, claimed, None)
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
) -> None:
    place = (claimed.thread_id, claimed.seq, claimed.position)
    ends = streams.cut(tx, *place, why, rest, usage, fingerprint=claimed.fingerprint) or []
    deltas.append(
        tx, claimed.thread_id, cursor, [*ends, *more, changed], seq=claimed.seq, message_id=claimed.message_id
    )
