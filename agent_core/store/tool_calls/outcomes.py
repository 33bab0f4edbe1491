"""Give a tool call its one outcome: from its worker, from outside, or by a stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, update

from agent_core.domain.end_reasons import End, failed
from agent_core.domain.events.run_events import OutcomeReceived, ToolContent, TurnStart
from agent_core.domain.messages import Chunk, StoredFile
from agent_core.domain.states import OPEN_CALLS, CallStatus, ThreadStatus
from agent_core.domain.turn_options import is_client_call
from agent_core.domain.wake_ups.suspects import Suspicion
from agent_core.domain.wake_ups.wake_up_key import timeout_key, tool_key
from agent_core.errors import ToolCallFinishedError
from agent_core.sentences import sentence
from agent_core.store.database.sql import CALL, LIST_FEED, THREAD, P, Statement, dump_info, load, one_of
from agent_core.store.database.transaction import FenceLost, Tx
from agent_core.store.threads import deltas, files, suspects, thread_row
from agent_core.store.tool_calls.calls import (
    CallPlace,
    ClaimedCall,
    advance,
    ask_advance,
    move,
    must_exist,
)
from agent_core.streaming.fold import error_chunk
from agent_core.support.faults import crash_point

_c, _t = CALL.c, THREAD.c
_this = (_c.thread_id == P("thread_id"), _c.id == P("call_id"))
_mine = _c.attempt == P("at_attempt")
_ended = {
    **{"output": P("new_output"), "error": P("new_error"), "end_reason": P("new_reason")},
    **{"error_info": P("new_info"), "ended_at": P("now"), "progress": None},
}
_END = {event: move(event, **_ended) for event in ("succeed", "fail")}
_END_MINE = {event: move(event, _mine, **_ended) for event in ("succeed", "fail")}
_CLOSE = move("close", **_ended)
_OPEN = Statement(
    select(_c.id, _c.status)
    .where(_c.thread_id == P("thread_id"), one_of(_c.status, OPEN_CALLS))
    .order_by(_c.seq, _c.position)
)
_CLIENT_CALLS = Statement(
    select(_c.id, _c.seq).where(
        _c.thread_id == P("thread_id"), one_of(_c.status, OPEN_CALLS), one_of(_c.status, [CallStatus.WAITING])
    )
)
_ASK = Statement(update(THREAD).where(_t.id == P("thread_id")).values(turn_options=P("new_options")))
_RAN = Statement(
    select(
        *(_c.message_id, _c.name, _t.agent, _c.attempt, _c.started_at, _c.ended_at, _c.end_reason, _c.error),
        *(_t.turn_cursor, _t.turn_started_at, _t.trace, _c.input, _c.output),
    ).where(*_this, _t.id == _c.thread_id)
)
_STATUS = Statement(select(_c.status).where(*_this))


class _RanCall(NamedTuple):
    message_id: str
    name: str
    agent: str
    attempt: int
    started_at: float | None
    ended_at: float
    end_reason: str | None
    error: str | None
    turn_cursor: int
    turn_started_at: float | None
    trace: str | None
    input: str
    output: str | None


def finish(
    tx: Tx,
    thread_id: str,
    call_id: str,
    *,
    output: str | None = None,
    error: End | None = None,
    attempt: int | None = None,
    timed: bool = True,
    suspicion: Suspicion | None = None,
    pictures: Sequence[StoredFile] = (),
) -> ThreadStatus:
    """Give a call its one outcome, and wake the next model step if no other call is open.

    Args:
        output: the result, as JSON; or
        error: why there is none.
        attempt: the fence of the worker that ran it; None: the outcome comes from outside.
        timed: whether the call may have a timeout, which is deleted.
        suspicion: the suspicion that the end of the call clears.
        pictures: files that the result names.

    Returns:
        the thread's new status.

    Raises:
        FenceLost: the call has its outcome or waits for approval, or another attempt runs; nothing was written.
    """
    ticked = deltas.ask_tick(tx, thread_id)
    ended = _ask_end(tx, thread_id, call_id, output, error, attempt)
    advanced = ask_advance(tx, thread_id)
    cursor, row = ticked(), ended()
    if row is None:
        raise FenceLost
    crash_point("tool.commit.inside")
    files.put(tx, thread_id, pictures)
    tx.wake.done(tx, tool_key(thread_id, call_id), mine=attempt is not None)
    suspects.after_completion(tx, suspicion)
    if timed:
        tx.wake.done(tx, timeout_key(thread_id, call_id), mine=False)
    if attempt is None:
        _publish(tx, thread_id, call_id)
    chunk: Chunk = {"type": "tool-output-available", "toolCallId": call_id, "output": load(output)}
    if error is not None:
        chunk = error_chunk(call_id, error)
    return end(tx, thread_id, cursor, CallPlace(*row), [chunk], advanced)


def _ask_end(
    tx: Tx, thread_id: str, call_id: str, output: str | None, error: End | None, attempt: int | None
) -> Callable[[], tuple[Any, ...] | None]:
    """Execute the end of a call, under its worker's fence if it has one; the row is a `CallPlace`."""
    values = {
        "thread_id": thread_id,
        "call_id": call_id,
        "new_output": output,
        "new_error": error and error.text,
        "new_reason": error and error.reason.value,
        "new_info": error and dump_info(error.text),
        "now": tx.now,
    }
    event = "succeed" if error is None else "fail"
    if attempt is None:
        return tx.ask(_END[event], **values)
    return tx.ask(_END_MINE[event], **values, at_attempt=attempt)


def end(
    tx: Tx,
    thread_id: str,
    cursor: int,
    place: CallPlace,
    chunks: list[Chunk],
    advanced: Callable[[], ThreadStatus] | None = None,
) -> ThreadStatus:
    """Advance the thread if no call is open, and append a delta.

    Args:
        advanced: the result of `ask_advance`, if it was executed already.

    Returns:
        the thread's new status.
    """
    status = advanced() if advanced is not None else advance(tx, thread_id)
    if status is ThreadStatus.STREAMING:
        chunks.append(deltas.thread_chunk(status=status))
    deltas.append(tx, thread_id, cursor, chunks, seq=place.seq, message_id=place.message_id)
    return status


def seal(tx: Tx, call: ClaimedCall, error: End) -> ThreadStatus:
    """End a call that has crashed its process too often with an error; see `finish`."""
    suspects.after_seal(tx, tool_key(call.thread_id, call.id))
    return finish(tx, call.thread_id, call.id, error=error, attempt=call.attempt)


def finish_from_outside(
    tx: Tx,
    call_id: str,
    thread_id: str,
    output: str | None,
    error: str | None,
    pictures: Sequence[StoredFile] = (),
) -> None:
    """Give a call the outcome that a person or another system has sent.

    Raises:
        ToolCallNotFoundError: the thread has no such call.
        ToolCallFinishedError: the call has its outcome, or waits for approval.
    """
    must_exist(tx, thread_id, call_id)
    try:
        end = None if error is None else failed(error)
        finish(tx, thread_id, call_id, output=output, error=end, pictures=pictures)
        tx.touched.add(LIST_FEED)  # the list shows which threads wait
    except FenceLost:
        row = tx.one(_STATUS, thread_id=thread_id, call_id=call_id)
        raise ToolCallFinishedError(why_closed(call_id, None if row is None else row[0])) from None


def answer_client_calls(tx: Tx, thread_id: str, results: Mapping[str, str], options: str | None) -> list[str]:
    """Give calls of the caller's tools their results (JSON by call id); those that have an outcome keep it.

    Args:
        options: what the caller asks for in the rest of the turn; see `TurnOptions`.

    Returns:
        the calls of the same step that still wait; if there are any, nothing was written.

    Raises:
        ThreadNotFoundError: there is no such thread.
    """
    thread_row.lock(tx, thread_id)
    waits = {id: seq for id, seq in tx.all(_CLIENT_CALLS, thread_id=thread_id) if is_client_call(id)}
    steps = {seq for id, seq in waits.items() if id in results}
    if left := [id for id, seq in waits.items() if seq in steps and id not in results]:
        return left
    if steps:
        tx.do(_ASK, thread_id=thread_id, new_options=options)
        tx.touched.add(LIST_FEED)  # the list shows which threads wait
    for call_id in (id for id in results if id in waits):
        finish(tx, thread_id, call_id, output=results[call_id])
    return []


def why_closed(call_id: str, status: str | None) -> str:
    """Return why a call with this status accepts no outcome from outside."""
    if status == CallStatus.APPROVAL:
        return sentence("tool_call_needs_approval", call=call_id)
    return sentence("tool_call_finished", call=call_id)


def close_open(tx: Tx, thread_id: str, why: End) -> list[Chunk]:
    """Close every open call of a stopped thread; return the chunks for readers."""
    chunks: list[Chunk] = []
    for call_id, status in tx.all(_OPEN, thread_id=thread_id):
        values = {"thread_id": thread_id, "call_id": call_id, "new_output": None, "now": tx.now}
        values |= {"new_error": why.text, "new_reason": why.reason.value, "new_info": dump_info(why.text)}
        tx.one(_CLOSE, **values)
        if status == CallStatus.WAITING:  # the worker of one that runs publishes its end itself
            _publish(tx, thread_id, call_id)
        chunks.append(error_chunk(call_id, why))
    return chunks


def _publish(tx: Tx, thread_id: str, call_id: str) -> None:
    """Publish the outcome that a call has got from outside or by a stop, if it ever ran."""
    ran = _RanCall(*tx.must(_RAN, thread_id=thread_id, call_id=call_id))
    if ran.started_at is None:
        return
    tx.publish(
        OutcomeReceived(
            *(thread_id, ran.message_id, call_id, ran.name, ran.agent, ran.attempt, ran.started_at),
            ended_at=ran.ended_at,
            error=ran.end_reason,
            words=ran.error,
            turn=TurnStart(thread_id, ran.message_id, ran.turn_cursor, ran.turn_started_at, ran.trace),
            content=ToolContent(load(ran.input), ran.output),
        )
    )
