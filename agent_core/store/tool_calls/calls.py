"""Create, claim, retry and hand over tool calls.

The thread's row is always written first: its lock orders the outcomes of a thread, so that of two simultaneous
outcomes the second one sees that no call is open any more.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, NamedTuple

from sqlalchemy import exists, insert, select, update

from agent_core.domain.end_reasons import PROCESS_ENDED, End, EndReason, failed
from agent_core.domain.events.run_events import TurnStart
from agent_core.domain.messages import Chunk
from agent_core.domain.states import CALL as MOVES
from agent_core.domain.states import OPEN_CALLS, CallStatus, ThreadStatus, sources
from agent_core.domain.wake_ups.suspects import Suspicion
from agent_core.domain.wake_ups.wake_up_key import step_key, tool_key
from agent_core.errors import ToolCallNotFoundError
from agent_core.sentences import info_of, sentence
from agent_core.store.database.sql import (
    CALL,
    LIST_FEED,
    THREAD,
    WAKE_UP,
    P,
    Statement,
    dump,
    dump_info,
    load,
    one_of,
)
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import absent_agents, deltas, suspects
from agent_core.store.tool_calls import attempts
from agent_core.streaming.fold import error_chunk

_c, _t = CALL.c, THREAD.c
_this = (_c.thread_id == P("thread_id"), _c.id == P("call_id"))


class UnknownAgent(Exception):  # noqa: N818  # not an error: another process may know the agent
    """The work belongs to an agent that this process does not know; nothing was written."""


class NewCall(NamedTuple):
    """A tool call that a committed step creates.

    Attributes:
        id: unique within the thread.
        name: the tool.
        input: the arguments, as JSON.
        status: approval, pending, waiting for a tool of the caller, or failed if the call cannot run.
        error: why it cannot run, for the model.
    """

    id: str
    name: str
    input: str
    status: CallStatus
    error: str | None = None


class ClaimedCall(NamedTuple):
    """The right to run a tool call, valid as long as the row has the same `attempt`.

    Attributes:
        in_doubt: whether it ran when its worker died, so that it may have taken effect.
        seq: the step that created it: the thread's fence for as long as the call is open.
        message_id: the reply of its turn.
        claimed_at: seconds since the epoch.
        turn: the start of the turn, for traces.
    """

    thread_id: str
    id: str
    name: str
    input: dict[str, Any]
    attempt: int
    in_doubt: bool
    agent: str
    user_id: str | None
    seq: int
    suspicion: Suspicion | None = None
    message_id: str = ""
    claimed_at: float = 0.0
    turn: TurnStart | None = None

    @property
    def fence(self) -> dict[str, Any]:
        """The values of the fence in a statement."""
        return {"thread_id": self.thread_id, "call_id": self.id, "at_attempt": self.attempt}

    @property
    def crashes(self) -> int:
        """Number of processes that died while this call was the only suspect in them."""
        return self.suspicion.crashes if self.suspicion is not None else 0


class CallPlace(NamedTuple):
    """The step and the message of a tool call."""

    seq: int
    message_id: str


class _FoundCall(NamedTuple):
    status: str
    attempt: int
    name: str
    input: str
    agent: str
    user_id: str | None
    seq: int
    retry_state: str | None
    message_id: str
    worker: str | None
    started_at: float | None
    earlier: str | None
    turn_cursor: int
    turn_started_at: float | None
    trace: str | None


_INSERT = Statement(
    insert(CALL).values(
        **{
            n: P(n)
            for n in (
                *("thread_id", "id", "seq", "position", "message_id", "name", "status", "input"),
                *("error", "error_info", "end_reason", "approval", "created_at", "ended_at"),
                *("attempt", "started_at"),
            )
        },
    )
)
_LOOK = Statement(
    select(
        *(_c.status, _c.attempt, _c.name, _c.input, _t.agent, _t.user_id, _c.seq),
        *(_t.retry_state, _c.message_id, _c.worker, _c.started_at, _c.attempts),
        *(_t.turn_cursor, _t.turn_started_at, _t.trace),
    )
    .where(*_this, _t.id == _c.thread_id)
    .with_for_update()
)
_leased = exists(select(WAKE_UP.c.id).where(WAKE_UP.c.id == P("key"), WAKE_UP.c.worker == P("by")))
_CLAIM = Statement(
    update(CALL)
    .where(*_this, one_of(_c.status, sources(MOVES, "claim")), _leased)
    .values(status=CallStatus.RUNNING.value, attempt=_c.attempt + 1, worker=P("by"), started_at=P("now"))
    .returning(_c.attempt, select(WAKE_UP.c.company).where(WAKE_UP.c.id == P("key")).scalar_subquery())
)


def move(event: str, *where: Any, **values: Any) -> Statement:
    """Build the write of a transition of a call; it returns a `CallPlace`."""
    (to,) = set(MOVES[event].values())
    return Statement(
        update(CALL)
        .where(*_this, *where, one_of(_c.status, sources(MOVES, event)))
        .values(status=to.value, **values)
        .returning(_c.seq, _c.message_id)
    )


_mine = _c.attempt == P("at_attempt")
_RETRY = move("retry", _mine)
_HAND_OVER = move("hand_over", _mine)
_still_mine = (*_this, _mine, _c.status == CallStatus.RUNNING.value)
_RUNS = Statement(select(_c.seq, _c.message_id, _c.started_at).where(*_still_mine))
_REPORT = Statement(
    update(CALL).where(*_still_mine).values(progress=P("new_progress")).returning(_c.seq, _c.message_id)
)
# In the words and the order of its index: SQLite would look at every call of the thread otherwise.
_first_open = (
    select(_c.id)
    .where(_c.thread_id == P("thread_id"), one_of(_c.status, OPEN_CALLS))
    .order_by(_c.seq, _c.position)
    .limit(1)
    .scalar_subquery()
)
_ADVANCE = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"), _t.status == ThreadStatus.AWAITING.value, _first_open.is_(None))
    .values(status=ThreadStatus.STREAMING.value)
    .returning(_t.agent)
)
_KNOWN = Statement(select(_c.id).where(*_this))


def create(tx: Tx, thread_id: str, seq: int, message_id: str, new_calls: Sequence[NewCall]) -> list[Chunk]:
    """Store the calls of a step with wake-ups for those that can run; return the chunks for readers."""
    chunks: list[Chunk] = []
    for position, call in enumerate(new_calls):
        waits = call.status is CallStatus.WAITING
        tx.do(
            _INSERT,
            thread_id=thread_id,
            id=call.id,
            seq=seq,
            position=position,
            message_id=message_id,
            name=call.name,
            status=call.status.value,
            input=call.input,
            error=call.error,
            error_info=dump_info(call.error),
            end_reason=None if call.error is None else EndReason.ERROR.value,
            approval="{}" if call.status is CallStatus.APPROVAL else None,
            created_at=tx.now,
            ended_at=tx.now if call.error is not None else None,
            attempt=int(waits),  # the caller's, which has begun
            started_at=tx.now if waits else None,
        )
        if call.error is not None:
            chunks.append(error_chunk(call.id, failed(call.error)))
        elif call.status is CallStatus.APPROVAL:
            chunks.append({"type": "tool-approval-request", "approvalId": call.id, "toolCallId": call.id})
        elif waits:
            chunks.append(attempts.run_chunk(call.id, status=call.status, attempt=1, started_at=tx.now))
            tx.touched.add(LIST_FEED)  # the list shows which threads wait
        else:
            tx.wake.enqueue(tx, tool_key(thread_id, call.id))
    return chunks


def ask_advance(tx: Tx, thread_id: str) -> Callable[[], ThreadStatus]:
    """Execute the advance of a thread; return a function that returns its status and wakes the next step."""
    advanced = tx.ask(_ADVANCE, thread_id=thread_id)

    def status() -> ThreadStatus:
        row = advanced()
        if row is None:
            return ThreadStatus.AWAITING
        (agent,) = row
        tx.moved(thread_id, ThreadStatus.AWAITING, ThreadStatus.STREAMING, agent)
        tx.wake.enqueue(tx, step_key(thread_id))
        return ThreadStatus.STREAMING

    return status


def advance(tx: Tx, thread_id: str) -> ThreadStatus:
    """Wake the next model step if no call of the thread is open; return the thread's status."""
    return ask_advance(tx, thread_id)()


def claim(tx: Tx, thread_id: str, call_id: str, worker: str, agents: Container[str]) -> ClaimedCall | None:
    """Claim a tool call for `worker`, which must hold the lease of its wake-up and know the agent.

    Returns:
        None: the call has ended, or another worker has it.

    Raises:
        UnknownAgent: the call's agent is not among `agents`.
    """
    key = tool_key(thread_id, call_id)
    found = tx.ask(_LOOK, thread_id=thread_id, call_id=call_id)
    claimed = tx.ask(_CLAIM, thread_id=thread_id, call_id=call_id, key=str(key), by=worker, now=tx.now)
    row = found()
    call = None if row is None else _FoundCall(*row)
    if call is not None and call.agent not in agents:
        raise UnknownAgent(call.agent)
    claim = claimed() if call is not None else None
    if call is None or claim is None:
        tx.wake.done(tx, key)
        return None
    attempt, company = claim
    if call.retry_state is not None:
        absent_agents.clear(tx, thread_id, ThreadStatus.AWAITING)
    in_doubt = call.status == CallStatus.RUNNING
    if in_doubt:
        lost = attempts.Attempt(call.attempt, call.worker, call.started_at, call.earlier)
        attempts.record(tx, thread_id, call_id, lost, PROCESS_ENDED)
    if call.attempt:  # the runner reports the first one, if it is slow; see `report_run`
        chunk = attempts.run_chunk(call_id, status=CallStatus.RUNNING, attempt=attempt, started_at=tx.now)
        _append(tx, thread_id, deltas.tick(tx, thread_id), CallPlace(call.seq, call.message_id), chunk)
    return ClaimedCall(
        thread_id,
        call_id,
        call.name,
        load(call.input),
        attempt,
        in_doubt,
        call.agent,
        call.user_id,
        call.seq,
        suspicion=suspects.read(tx, key) if company is not None else None,
        message_id=call.message_id,
        claimed_at=tx.now,
        turn=TurnStart(thread_id, call.message_id, call.turn_cursor, call.turn_started_at, call.trace),
    )


def _append(tx: Tx, thread_id: str, cursor: int, place: CallPlace, chunk: Chunk) -> None:
    deltas.append(tx, thread_id, cursor, [chunk], seq=place.seq, message_id=place.message_id)


def must_exist(tx: Tx, thread_id: str, call_id: str) -> None:
    """Check that a thread has a call.

    Raises:
        ToolCallNotFoundError: it has none with this id.
    """
    if tx.one(_KNOWN, thread_id=thread_id, call_id=call_id) is None:
        raise ToolCallNotFoundError(sentence("tool_call_not_found", call=call_id))


def retry(tx: Tx, call: ClaimedCall, end: End, run_at: float) -> None:
    """End a failed attempt and schedule the next one at `run_at`.

    Raises:
        FenceLost: another attempt runs, or the call has its outcome.
    """
    cursor = deltas.tick(tx, call.thread_id)
    place = CallPlace(*tx.fenced(_RETRY, **call.fence))
    tx.wake.enqueue(tx, tool_key(call.thread_id, call.id), run_at)
    newest = attempts.newest(tx, call.thread_id, call.id)
    attempts.record(tx, call.thread_id, call.id, newest, end, run_at)
    state = {"status": "retrying", "attempt": call.attempt, "next_at": run_at, "error": end.text}
    chunk = attempts.run_chunk(call.id, **state, error_info=info_of(end.text))
    _append(tx, call.thread_id, cursor, place, chunk)


def hand_over(tx: Tx, call: ClaimedCall) -> None:
    """Let a call wait for its outcome from outside, after an async tool's callback has returned.

    Raises:
        FenceLost: the call has its outcome already, or another attempt runs.
    """
    cursor = deltas.tick(tx, call.thread_id)
    place = CallPlace(*tx.fenced(_HAND_OVER, **call.fence))
    tx.wake.done(tx, tool_key(call.thread_id, call.id))
    suspects.after_completion(tx, call.suspicion)
    since = attempts.newest(tx, call.thread_id, call.id).started_at
    chunk = attempts.run_chunk(call.id, status=CallStatus.WAITING, attempt=call.attempt, started_at=since)
    _append(tx, call.thread_id, cursor, place, chunk)
    tx.touched.add(LIST_FEED)  # the list shows which threads wait


def report(tx: Tx, call: ClaimedCall, data: Any) -> None:
    """Append a progress report as a delta, and store it for readers who come later.

    Raises:
        FenceLost: another attempt runs, or the call has its outcome.
    """
    cursor = deltas.tick(tx, call.thread_id)
    place = CallPlace(*tx.fenced(_REPORT, **call.fence, new_progress=dump(data)))
    _append(tx, call.thread_id, cursor, place, attempts.progress_chunk(call.id, data))


def report_run(tx: Tx, call: ClaimedCall) -> None:
    """Append a delta that says since when a call runs.

    Raises:
        FenceLost: another attempt runs, or the call has its outcome.
    """
    cursor = deltas.tick(tx, call.thread_id)
    *place, since = tx.fenced(_RUNS, **call.fence)
    chunk = attempts.run_chunk(call.id, status=CallStatus.RUNNING, attempt=call.attempt, started_at=since)
    _append(tx, call.thread_id, cursor, CallPlace(*place), chunk)
