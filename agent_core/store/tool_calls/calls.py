"""Tool calls in the database: created by a step, claimed under an attempt, ended by one outcome.

The thread's row is always written first, so that its lock puts the outcomes of one thread in order
and two of them that arrive together cannot both believe that the other is still open.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, insert, select, update

from agent_core.domain.end_reasons import PROCESS_ENDED, End, EndReason, failed
from agent_core.domain.messages import Chunk
from agent_core.domain.states import CALL as MOVES
from agent_core.domain.states import OPEN_CALLS, CallStatus, sources
from agent_core.domain.suspects import Suspicion
from agent_core.domain.wake_up_key import step_key, tool_key
from agent_core.errors import (
    AmbiguousToolCallError,
    ToolCallNotFoundError,
)
from agent_core.sentences import info_of, sentence
from agent_core.store.database.columns import CALL, LIST_FEED, THREAD, WAKE_UP, P, dump, dump_info, load
from agent_core.store.database.statement import Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import absent_agents, deltas, suspects
from agent_core.store.tool_calls import attempts
from agent_core.streaming.fold import error_chunk

_c, _t = CALL.c, THREAD.c
_this = (_c.thread_id == P("thread_id"), _c.id == P("call_id"))


class FenceLost(Exception):  # noqa: N818  # not an error: somebody else owns the work now
    """The write missed: the step or the tool call belongs to somebody else now."""


class UnknownAgent(Exception):  # noqa: N818  # not an error: another process may know it
    """The work belongs to an agent that this process has not defined; nothing was written."""


@dataclass(frozen=True, slots=True)
class NewCall:
    """A tool call that a committed step makes.

    Attributes:
        id: unique within the thread.
        name: the tool.
        input: its arguments, as JSON.
        status: approval, pending, or failed where the call cannot be run at all.
        error: why not, for the model.
    """

    id: str
    name: str
    input: str
    status: CallStatus
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """The right to run one tool call, good as long as its attempt is still `attempt`.

    `in_doubt`: it was running when its worker went away, so it may have taken effect already.
    """

    thread_id: str
    id: str
    name: str
    input: dict[str, Any]
    attempt: int
    in_doubt: bool
    agent: str
    user_id: str | None
    seq: int  # of the step that made it: the thread's fence for as long as the call is open
    suspicion: Suspicion | None = None

    @property
    def crashes(self) -> int:
        """Number of processes that died while this call was the only suspect in them."""
        return self.suspicion.crashes if self.suspicion is not None else 0


_INSERT = Statement(
    insert(CALL).values(
        attempt=0,
        **{
            n: P(n)
            for n in (
                *("thread_id", "id", "seq", "position", "message_id", "name", "status", "input"),
                *("error", "error_info", "end_reason", "approval", "created_at", "ended_at"),
            )
        },
    )
)
_LOOK = Statement(
    select(
        *(_c.status, _c.attempt, _c.name, _c.input, _t.agent, _t.user_id, _c.seq),
        *(_t.retry_state, _c.message_id, _c.worker, _c.started_at, _c.attempts),
    )
    .where(*_this, _t.id == _c.thread_id)
    .with_for_update()
)
_leased = exists(select(WAKE_UP.c.id).where(WAKE_UP.c.id == P("key"), WAKE_UP.c.worker == P("by")))
_CLAIM = Statement(
    update(CALL)
    .where(*_this, one_of(_c.status, sources(MOVES, "claim")), _leased)
    .values(status="running", attempt=_c.attempt + 1, worker=P("by"), started_at=P("now"))
    .returning(_c.attempt, select(WAKE_UP.c.company).where(WAKE_UP.c.id == P("key")).scalar_subquery())
)


def move(event: str, *where: Any, **values: Any) -> Statement:
    """Build the write of one transition of one call; it returns the call's seq and message id."""
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
_still_mine = (*_this, _mine, _c.status == "running")
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
    .where(_t.id == P("thread_id"), _t.status == "awaiting_tool_results", _first_open.is_(None))
    .values(status="streaming")
    .returning(_t.agent)
)
_THREADS_OF = Statement(select(_c.thread_id).where(_c.id == P("call_id")))


def create(tx: Tx, thread_id: str, seq: int, message_id: str, new_calls: Sequence[NewCall]) -> list[Chunk]:
    """Store the calls of a step and wake what can run; return the chunks that this makes visible."""
    chunks: list[Chunk] = []
    for position, call in enumerate(new_calls):
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
        )
        if call.error is not None:
            chunks.append(error_chunk(call.id, failed(call.error)))
        elif call.status is CallStatus.APPROVAL:
            chunks.append({"type": "tool-approval-request", "approvalId": call.id, "toolCallId": call.id})
        else:
            tx.wake.enqueue(tx, tool_key(thread_id, call.id))
    return chunks


def ask_advance(tx: Tx, thread_id: str) -> Callable[[], str]:
    """Ask for the thread to advance; the answer is its status, and the wake-up of its next step."""
    advanced = tx.ask(_ADVANCE, thread_id=thread_id)

    def status() -> str:
        row = advanced()
        if row is None:
            return "awaiting_tool_results"
        tx.moved(thread_id, "awaiting_tool_results", "streaming", row[0])
        tx.wake.enqueue(tx, step_key(thread_id))
        return "streaming"

    return status


def advance(tx: Tx, thread_id: str) -> str:
    """Wake the next model step if no call of the thread is open; return the thread's status."""
    return ask_advance(tx, thread_id)()


def claim(tx: Tx, thread_id: str, call_id: str, worker: str, agents: Container[str]) -> ClaimedCall | None:
    """Take a tool call for `worker`, which must hold the lease of its wake-up and know the agent.

    Returns:
        None: there is nothing to do, or somebody else does it.

    Raises:
        UnknownAgent: the call's agent is not among `agents`.
    """
    key = tool_key(thread_id, call_id)
    found = tx.ask(_LOOK, thread_id=thread_id, call_id=call_id)
    claimed = tx.ask(_CLAIM, thread_id=thread_id, call_id=call_id, key=str(key), by=worker, now=tx.now)
    row = found()
    if row is not None and row[4] not in agents:
        raise UnknownAgent(row[4])
    mine = claimed() if row is not None else None
    if row is None or mine is None:
        tx.wake.done(tx, key)
        return None
    status, attempt, name, arguments, agent, user_id, seq, waited, message_id, *before = row
    if waited is not None:
        absent_agents.found(tx, thread_id, "awaiting_tool_results")
    in_doubt = status == CallStatus.RUNNING
    if in_doubt:
        attempts.note(tx, thread_id, call_id, (attempt, *before), PROCESS_ENDED)
    if attempt:  # the first one is told of by the call itself; see `tell`
        chunk = attempts.run_chunk(call_id, status="running", attempt=attempt + 1, started_at=tx.now)
        deltas.append(tx, thread_id, deltas.tick(tx, thread_id), [chunk], seq=seq, message_id=message_id)
    suspicion = suspects.read(tx, key) if mine[1] is not None else None
    given = (name, load(arguments), attempt + 1, in_doubt, agent, user_id, seq, suspicion)
    return ClaimedCall(thread_id, call_id, *given)


def locate(tx: Tx, call_id: str, thread_id: str | None) -> str:
    """Find the thread of a call.

    Raises:
        ToolCallNotFoundError: there is none; AmbiguousToolCallError: there are several.
    """
    threads = [row[0] for row in tx.all(_THREADS_OF, call_id=call_id)]
    if thread_id is not None:
        threads = [found for found in threads if found == thread_id]
    if not threads:
        raise ToolCallNotFoundError(sentence("tool_call_not_found", call=call_id))
    if len(threads) > 1:
        raise AmbiguousToolCallError(
            f"The tool call id {call_id!r} stands in {len(threads)} threads; pass thread_id as well."
        )
    return threads[0]


def retry(tx: Tx, call: ClaimedCall, end: End, run_at: float) -> None:
    """Put a failed attempt back, to be run again at `run_at`.

    Raises:
        FenceLost: another attempt runs, or the call has its outcome.
    """
    cursor = deltas.tick(tx, call.thread_id)
    row = tx.one(_RETRY, thread_id=call.thread_id, call_id=call.id, at_attempt=call.attempt)
    if row is None:
        raise FenceLost
    tx.wake.enqueue(tx, tool_key(call.thread_id, call.id), run_at)
    newest = attempts.newest(tx, call.thread_id, call.id)
    attempts.note(tx, call.thread_id, call.id, newest, end, run_at)
    state = {"status": "retrying", "attempt": call.attempt, "next_at": run_at, "error": end.text}
    chunk = attempts.run_chunk(call.id, **state, error_info=info_of(end.text))
    deltas.append(tx, call.thread_id, cursor, [chunk], seq=row[0], message_id=row[1])


def hand_over(tx: Tx, call: ClaimedCall) -> None:
    """An async tool's callback has returned: from here on the outcome comes from outside.

    Raises:
        FenceLost: the call has its outcome already, or another attempt runs.
    """
    values = {"thread_id": call.thread_id, "call_id": call.id, "at_attempt": call.attempt}
    cursor = deltas.tick(tx, call.thread_id)
    row = tx.one(_HAND_OVER, **values)
    if row is None:
        raise FenceLost
    tx.wake.done(tx, tool_key(call.thread_id, call.id))
    suspects.completed(tx, call.suspicion)
    _, _, started_at, _ = attempts.newest(tx, call.thread_id, call.id)
    chunk = attempts.run_chunk(call.id, status="waiting", attempt=call.attempt, started_at=started_at)
    deltas.append(tx, call.thread_id, cursor, [chunk], seq=row[0], message_id=row[1])
    tx.touched.add(LIST_FEED)  # it waits for somebody now


def report(tx: Tx, call: ClaimedCall, data: Any) -> None:
    """Show live progress, and keep the newest of it for readers who come later.

    Raises:
        FenceLost: another attempt runs, or the call has its outcome.
    """
    values = {"thread_id": call.thread_id, "call_id": call.id, "at_attempt": call.attempt}
    cursor = deltas.tick(tx, call.thread_id)
    row = tx.one(_REPORT, **values, new_progress=dump(data))
    if row is None:
        raise FenceLost
    chunk = attempts.progress_chunk(call.id, data)
    deltas.append(tx, call.thread_id, cursor, [chunk], seq=row[0], message_id=row[1])


def tell(tx: Tx, call: ClaimedCall) -> None:
    """Tell the readers that a call runs and since when.

    Raises:
        FenceLost: another attempt runs, or the call has its outcome.
    """
    cursor = deltas.tick(tx, call.thread_id)
    row = tx.one(_RUNS, thread_id=call.thread_id, call_id=call.id, at_attempt=call.attempt)
    if row is None:
        raise FenceLost
    chunk = attempts.run_chunk(call.id, status="running", attempt=call.attempt, started_at=row[2])
    deltas.append(tx, call.thread_id, cursor, [chunk], seq=row[0], message_id=row[1])
