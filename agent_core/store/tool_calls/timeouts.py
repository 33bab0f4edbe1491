"""Set and expire the timeouts of async tool calls: wake-ups that fail a call unless its outcome comes first.

A timeout that a person or the callback sets before the callback returns replaces the tool's own.
"""

from __future__ import annotations

from sqlalchemy import exists, select

from agent_core.domain.end_reasons import NO_OUTCOME
from agent_core.domain.states import CallStatus
from agent_core.domain.wake_ups.wake_up_key import timeout_key
from agent_core.errors import ToolCallFinishedError, ToolCallNotFoundError
from agent_core.sentences import sentence
from agent_core.store.database.sql import CALL, WAKE_UP, P, Statement
from agent_core.store.database.transaction import FenceLost, Tx
from agent_core.store.threads import thread_row
from agent_core.store.tool_calls import calls, outcomes
from agent_core.store.tool_calls.calls import ClaimedCall
from agent_core.support.settings import MAX_TIMEOUT

_c, _w = CALL.c, WAKE_UP.c
_LOOK = Statement(select(_c.status, _c.attempt).where(_c.thread_id == P("thread_id"), _c.id == P("call_id")))
_SET = Statement(select(_w.id).where(_w.id == P("key")))
_LEASED = Statement(select(exists().where(_w.id == P("key"), _w.worker == P("by"))))


def hand_over(tx: Tx, call: ClaimedCall, timeout: float | None) -> None:
    """Let a call wait for its outcome from outside, for `timeout` seconds unless another timeout is set.

    Raises:
        FenceLost: the call has its outcome, or another attempt runs.
    """
    calls.hand_over(tx, call)
    key = timeout_key(call.thread_id, call.id)
    if timeout is not None and tx.one(_SET, key=str(key)) is None:
        tx.wake.enqueue(tx, key, tx.now + timeout)


def change(tx: Tx, call_id: str, thread_id: str, seconds: float | None) -> None:
    """Set, move or remove (None) the timeout of an open call; `seconds` count from now.

    Raises:
        ToolCallNotFoundError: the thread has no such call.
        ToolCallFinishedError: the call has its outcome, or waits for approval.
    """
    thread_row.lock(tx, thread_id)  # orders this write and a simultaneous outcome
    row = tx.one(_LOOK, thread_id=thread_id, call_id=call_id)
    if row is None:
        raise ToolCallNotFoundError(sentence("tool_call_not_found", call=call_id))
    status, _attempt = row
    if status not in (CallStatus.PENDING, CallStatus.RUNNING, CallStatus.WAITING):
        raise ToolCallFinishedError(outcomes.why_closed(call_id, status))
    _put(tx, thread_id, call_id, seconds, waits=status == CallStatus.WAITING)


def change_own(tx: Tx, call: ClaimedCall, seconds: float | None) -> None:
    """Set, move or remove the timeout of `call` from its own callback; see `change`.

    Raises:
        FenceLost: the call has its outcome, or another attempt runs.
    """
    thread_row.lock(tx, call.thread_id)
    row = tx.one(_LOOK, thread_id=call.thread_id, call_id=call.id)
    if row != (CallStatus.RUNNING, call.attempt):
        raise FenceLost
    _put(tx, call.thread_id, call.id, seconds, waits=False)


def _put(tx: Tx, thread_id: str, call_id: str, seconds: float | None, *, waits: bool) -> None:
    # While the callback runs, "no timeout" is a row, too, so that `hand_over` does not set the tool's own.
    key = timeout_key(thread_id, call_id)
    if seconds is None and waits:
        tx.wake.done(tx, key, mine=False)
    else:
        tx.wake.enqueue(tx, key, tx.now + (MAX_TIMEOUT if seconds is None else seconds))


def expire(tx: Tx, thread_id: str, call_id: str, worker: str) -> None:
    """Fail a call whose outcome has not come in time, unless its timeout was moved meanwhile.

    Raises:
        FenceLost: the call has its outcome.
        ThreadNotFoundError: the thread was deleted.
    """
    thread_row.lock(tx, thread_id)
    (leased,) = tx.must(_LEASED, key=str(timeout_key(thread_id, call_id)), by=worker)
    if leased:
        outcomes.finish(tx, thread_id, call_id, error=NO_OUTCOME)
