"""A model step in the database: claimed under a fence, flushed, and then committed whole.

Every write here carries the fence (`seq`) in its WHERE. A claim raises it, a stop raises it, so
whoever lost the step, alive or not, writes nothing any more and is told so.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, literal_column, select, update

from agent_core.domain.end_reasons import PROCESS_ENDED, RELEASED, End, EndReason, failed
from agent_core.domain.messages import Chunk, Part, StoredFile
from agent_core.domain.states import THREAD as MOVES
from agent_core.domain.states import sources
from agent_core.domain.suspects import Suspicion
from agent_core.domain.wake_up_key import step_key
from agent_core.errors import PoisonedStepError
from agent_core.sentences import info_of
from agent_core.store.database.columns import THREAD, WAKE_UP, P, dump, dump_info
from agent_core.store.database.statement import Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas, files, refused_files, suspects
from agent_core.store.threads.messages import ensure_reply
from agent_core.store.tool_calls import calls
from agent_core.store.tool_calls.calls import FenceLost, NewCall, UnknownAgent
from agent_core.store.turns import imports, streams, turns
from agent_core.support.faults import crash_point

Refused = tuple[str, Iterable[str]]
"""A model's name, and ids of files."""

NO_FILES: Refused = ("", ())

_t = THREAD.c
_mine = (_t.id == P("thread_id"), _t.seq == P("at_seq"))


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one model step, good as long as the thread's seq is still `seq`.

    `taken_from`: the worker of the attempt before, if that was open still and its process is gone.
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

    @property
    def crashes(self) -> int:
        """Number of processes that died while this step was the only suspect in them."""
        return self.suspicion.crashes if self.suspicion is not None else 0


# Said in SQL: SQLAlchemy leaves the tables' names out of SQLite's RETURNING, and both have a `seq`.
_open_attempt: ColumnElement[Any] = literal_column(
    "(SELECT s.worker FROM agent_stream AS s WHERE s.thread_id = agent_thread.id "
    "AND s.seq = agent_thread.seq - 1 AND s.status = 'streaming')"
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
            _t.message_id,
            _t.attempt,
            select(WAKE_UP.c.company).where(WAKE_UP.c.id == P("key")).scalar_subquery(),
            _t.steps,
            _t.agent,
            _t.user_id,
            _t.position,
            _t.retry_state,
            _open_attempt,  # whose attempt the one before this is, if it is still open
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
_CARRY_ON = _move("claim", **_progress)
_RETRY = _move("retry", attempt=_t.attempt + 1, retry_state=P("new_retry"))
_ENDS = {"awaiting_tool_results": _CALL_TOOLS, "streaming": _CARRY_ON, "completed": _FINISH}
"""How a committed step moves its thread, by the status that it leads to."""
_CLEAR_RETRY = _move("claim", retry_state=None)
_FAIL = _move(
    "fail", retry_state=None, error=P("new_error"), error_kind=P("new_kind"), error_info=P("new_info")
)


def claim(tx: Tx, thread_id: str, worker: str, agents: Container[str]) -> Claim | None:
    """Take a thread's next model step for `worker`, which must hold the lease of its wake-up.

    An attempt that was still open lost its process; what it had said is kept until the first token
    of this one.

    Returns:
        None: there is nothing to do, or somebody else does it.

    Raises:
        UnknownAgent: the thread's agent is not among `agents`.
    """
    key = step_key(thread_id)
    # The lock by itself: a statement that waits for it sees other rows as they were when it began.
    tx.do(_LOCK, thread_id=thread_id)
    row = tx.one(_CLAIM, thread_id=thread_id, key=str(key), worker=worker)
    if row is None:
        tx.wake.done(tx, key)
        return None
    crash_point("claim.before")  # of a real one: a wake-up may come once more, when tools run already
    seq, message_id, attempt, company, steps, agent, user_id, position, retrying, before = row
    if agent not in agents:
        raise UnknownAgent(agent)
    if before is not None:
        seen = deltas.last_moment(tx, thread_id, seq - 1)
        ends = streams.cut(tx, thread_id, seq - 1, position, PROCESS_ENDED, ended=seen)
        if ends:
            cursor = deltas.tick(tx, thread_id)
            deltas.append(tx, thread_id, cursor, ends, seq=seq - 1, message_id=message_id)
    streams.open_stream(tx, thread_id, seq, message_id=message_id, worker=worker, attempt=attempt + 1)
    if retrying is not None:
        (cursor,) = tx.must(_CLEAR_RETRY, thread_id=thread_id, at_seq=seq, now=tx.now)
        deltas.append(tx, thread_id, cursor, [deltas.thread_chunk(status="streaming", retry_state=None)])
    suspicion = suspects.read(tx, key) if company is not None else None
    given = (seq, message_id, attempt + 1, suspicion, steps, agent, user_id, position, before)
    return Claim(thread_id, *given)


def flush(tx: Tx, claimed: Claim, chunks: list[Chunk], first: bool) -> bool:
    """Append a delta for the watchers; False: the fence has moved on and nothing was written."""
    crash_point("delta.before")
    row = tx.one(_FLUSH, thread_id=claimed.thread_id, at_seq=claimed.seq, now=tx.now)
    if row is None:
        return False
    if first:
        streams.replace_partial(tx, claimed.thread_id, claimed.seq)
    deltas.append(tx, claimed.thread_id, row[0], chunks, seq=claimed.seq, message_id=claimed.message_id)
    crash_point("delta.after")
    return True


def commit(
    tx: Tx,
    claimed: Claim,
    *,
    parts: list[Part],
    chunks: list[Chunk],
    new_calls: list[NewCall],
    usage: str | None,
    first: bool,
    taken: Refused = NO_FILES,
    unsigned: str | None = None,
    paused: bool = False,
) -> int:
    """End a model step whole: its parts, its tool calls, the thread's state, the next wake-ups.

    Args:
        tx: the transaction.
        claimed: the claim.
        parts: the parts of this step.
        chunks: what was not flushed yet.
        new_calls: the tool calls it makes; those with an error already have their outcome.
        usage: tokens and cost, as JSON.
        first: nothing was flushed before.
        taken: files that the model had refused before and has now taken.
        unsigned: the model that has answered only without what was imported as signed by it.
        paused: the turn goes on with another step, though this one calls no tools.

    Returns:
        the cursor of the delta that tells of it.

    Raises:
        FenceLost: the step belongs to somebody else now; nothing was written.
    """
    thread_id, seq = claimed.thread_id, claimed.seq
    status = "awaiting_tool_results" if new_calls else "streaming" if paused else "completed"
    moved = tx.ask(_ENDS[status], thread_id=thread_id, at_seq=seq, now=tx.now)
    kept = streams.ask_commit(tx, thread_id, seq, parts, usage)
    row = moved()
    if row is None or kept() is None:
        raise FenceLost
    crash_point("commit.inside")
    if claimed.steps == 0:
        ensure_reply(tx, thread_id, claimed.message_id, claimed.position)
    if first:
        streams.replace_partial(tx, thread_id, seq)
    refused_files.forget(tx, thread_id, *taken)
    if unsigned is not None:
        imports.forget_signatures(tx, thread_id, unsigned)
    if status == "streaming":
        tx.wake.enqueue(tx, step_key(thread_id))
    else:
        tx.wake.done(tx, step_key(thread_id))
        tx.moved(thread_id, "streaming", status, claimed.agent)
    suspects.completed(tx, claimed.suspicion)
    outcomes = calls.create(tx, claimed.thread_id, seq, claimed.message_id, new_calls)
    if new_calls and all(call.error is not None for call in new_calls):  # nothing to wait for
        status = calls.advance(tx, thread_id)
    changed = deltas.thread_chunk(status=status, retry_state=None, error=None)
    chunks = [*chunks, {"type": "finish-step"}, *outcomes, changed]
    deltas.append(tx, thread_id, row[0], chunks, seq=seq, message_id=claimed.message_id)
    if status == "completed":
        turns.next_queued(tx, thread_id)
    return row[0]


def keep_file(tx: Tx, claimed: Claim, file: StoredFile) -> None:
    """Give the thread a file that its model has made, while the step is still ours.

    Raises:
        FenceLost: the step belongs to somebody else now.
    """
    if tx.one(_HELD, thread_id=claimed.thread_id, at_seq=claimed.seq) is None:
        raise FenceLost
    files.put(tx, claimed.thread_id, [file])


def retry(tx: Tx, claimed: Claim, rest: list[Chunk], state: dict[str, Any], usage: str | None = None) -> None:
    """End a failed attempt and leave a wake-up for the next one, at state["next_at"].

    Raises:
        FenceLost: the step belongs to somebody else now.
    """
    row = tx.one(_RETRY, thread_id=claimed.thread_id, at_seq=claimed.seq, new_retry=dump(state), now=tx.now)
    if row is None:
        raise FenceLost
    tx.wake.enqueue(tx, step_key(claimed.thread_id), state["next_at"])
    changed = deltas.thread_chunk(status="streaming", retry_state=state)
    _cut(tx, claimed, row[0], failed(state["error"]), rest, changed, usage)


def fail(
    tx: Tx,
    claimed: Claim,
    error: str,
    kind: str,
    rest: list[Chunk],
    usage: str | None = None,
    *,
    refused: Refused = NO_FILES,
) -> None:
    """End the turn with an error that a person can read; partial text is kept.

    What the model refused with that error is remembered with it.

    Raises:
        FenceLost: the step belongs to somebody else now.
    """
    values = {"new_error": error, "new_kind": kind, "new_info": dump_info(error)}
    row = tx.one(_FAIL, thread_id=claimed.thread_id, at_seq=claimed.seq, now=tx.now, **values)
    if row is None:
        raise FenceLost
    tx.moved(claimed.thread_id, "streaming", "failed", claimed.agent)
    refused_files.note(tx, claimed.thread_id, *refused, error)
    tx.wake.done(tx, step_key(claimed.thread_id), mine=False)
    poisoned = kind == PoisonedStepError.__name__
    if poisoned:
        suspects.sealed(tx, step_key(claimed.thread_id))
    else:
        suspects.completed(tx, claimed.suspicion)
    failed_with = {"error": error, "error_kind": kind, "error_info": info_of(error)}
    changed = deltas.thread_chunk(status="failed", **failed_with, retry_state=None)
    why = End(EndReason.POISONED if poisoned else EndReason.ERROR, error)
    ends = streams.close_hosted(tx, claimed.thread_id)
    _cut(tx, claimed, row[0], why, rest, changed, usage, ends)


def release(tx: Tx, claimed: Claim, rest: list[Chunk], run_at: float) -> None:
    """Give a step back unfinished, as a worker does that is asked to end; it is no crash.

    Raises:
        FenceLost: the step belongs to somebody else now.
    """
    row = tx.one(_FLUSH, thread_id=claimed.thread_id, at_seq=claimed.seq, now=tx.now)
    if row is None:
        raise FenceLost
    tx.wake.enqueue(tx, step_key(claimed.thread_id), run_at)
    changed = deltas.thread_chunk(status="streaming")
    _cut(tx, claimed, row[0], RELEASED, rest, changed)


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
    ends = streams.cut(tx, claimed.thread_id, claimed.seq, claimed.position, why, rest, usage) or []
    deltas.append(
        tx, claimed.thread_id, cursor, [*ends, *more, changed], seq=claimed.seq, message_id=claimed.message_id
    )
