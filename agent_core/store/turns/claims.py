"""Claim model steps: give one worker the right to run the next step of a thread."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, exists, literal_column, select, update

from agent_core.domain.end_reasons import PROCESS_ENDED
from agent_core.domain.events.run_events import TurnStart
from agent_core.domain.states import THREAD as MOVES
from agent_core.domain.states import ThreadStatus, sources
from agent_core.domain.wake_ups.suspects import Suspicion
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.store.database.sql import THREAD, WAKE_UP, P, Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.limits import admissions
from agent_core.store.threads import deltas, suspects
from agent_core.store.tool_calls.calls import UnknownAgent
from agent_core.store.turns import streams
from agent_core.support.faults import crash_point

_t = THREAD.c
FENCE = (_t.id == P("thread_id"), _t.seq == P("at_seq"))
"""The condition that a thread's step still has the fence `at_seq`; see `Claim.fence`."""


class Claim(NamedTuple):
    """The right to run a model step, valid as long as the thread has the same `seq`.

    Attributes:
        message_id, position: of the reply.
        taken_from: the worker of the last attempt, if that was still open when its process died.
        follows_commit: whether the last attempt was committed, in the same reply: no lost text is left then.
        claimed_at: seconds since the epoch.
        fingerprint: of the agent, once it is made.
        turn: the start of the turn, for traces.
        options: what the caller of the turn asks for, as JSON.
        pause: the `retry_state` of the thread, as JSON, if a limit or a budget has paused it; admission ends it.
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
    turn: TurnStart | None = None
    pause: str | None = None
    options: str | None = None

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
    turn_cursor: int
    turn_started_at: float | None
    trace: str | None
    turn_options: str | None


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
            *(_t.turn_cursor, _t.turn_started_at, _t.trace, _t.turn_options),
        )
    )
)
_LOCK = Statement(select(_t.id).where(_t.id == P("thread_id")).with_for_update())


def fenced_move(event: str, **values: Any) -> Statement:
    """Build the write that moves a thread by `event`, appends a delta and returns its cursor; `FENCE` guards it."""
    (status,) = set(MOVES[event].values())
    return Statement(
        update(THREAD)
        .where(*FENCE, one_of(_t.status, sources(MOVES, event)))
        .values(status=status.value, cursor=_t.cursor + 1, updated_at=P("now"), **values)
        .returning(_t.cursor)
    )


_CLEAR_RETRY = fenced_move("claim", retry_state=None)


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
    is_paused = admissions.is_pause(thread.retry_state)
    if thread.retry_state is not None and not is_paused:
        (cursor,) = tx.must(_CLEAR_RETRY, thread_id=thread_id, at_seq=thread.seq, now=tx.now)
        deltas.append(
            tx, thread_id, cursor, [deltas.thread_chunk(status=ThreadStatus.STREAMING, retry_state=None)]
        )
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
        turn=TurnStart(thread_id, thread.reply_id, thread.turn_cursor, thread.turn_started_at, thread.trace),
        pause=thread.retry_state if is_paused else None,
        options=thread.turn_options,
    )


def _cut_lost_attempt(tx: Tx, thread_id: str, thread: _ClaimedRow) -> None:
    seq = thread.seq - 1
    ended = deltas.last_flush(tx, thread_id, seq)
    ends = streams.cut(tx, thread_id, seq, thread.reply_position, PROCESS_ENDED, ended=ended)
    if ends:
        cursor = deltas.tick(tx, thread_id)
        deltas.append(tx, thread_id, cursor, ends, seq=seq, message_id=thread.reply_id)
