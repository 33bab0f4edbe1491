"""Read the tool calls that wait for people or other systems, and approve or deny several in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from agent_core.domain.end_reasons import DENIED
from agent_core.domain.messages import Chunk, Waiting
from agent_core.domain.states import OPEN_CALLS, CallStatus
from agent_core.domain.wake_ups.wake_up_key import tool_key
from agent_core.errors import ToolCallFinishedError
from agent_core.sentences import sentence
from agent_core.store.database.sql import CALL, LIST_FEED, THREAD, P, Statement, dump, dump_info, load, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas
from agent_core.store.tool_calls.calls import CallPlace, move, must_exist
from agent_core.store.tool_calls.outcomes import end
from agent_core.support.clock import as_datetime

_APPROVE = move("approve", input=func.coalesce(P("new_input"), CALL.c.input), approval=P("new_approval"))
_DENY = move(
    "deny",
    **{"error": P("new_error"), "error_info": P("new_info"), "end_reason": DENIED.reason.value},
    **{"approval": P("new_approval"), "ended_at": P("now")},
)
_NAME = Statement(select(CALL.c.name).where(CALL.c.thread_id == P("thread_id"), CALL.c.id == P("call_id")))

_c, _t = CALL.c, THREAD.c
_WAITING = (
    select(_c.thread_id, _t.title, _c.id, _c.name, _c.status, _c.input, _c.created_at)
    .join(THREAD, _t.id == _c.thread_id)
    .where(one_of(_c.status, OPEN_CALLS), one_of(_c.status, [CallStatus.APPROVAL, CallStatus.WAITING]))
    .order_by(_c.created_at, _c.thread_id, _c.position)
)


def waiting(session: Session, limit: int, user_id: str | None) -> list[Waiting]:
    """Return up to `limit` waiting calls, the longest wait first; with a `user_id` only those of its threads."""
    statement = _WAITING.limit(limit)
    if user_id is not None:
        statement = statement.where(_t.user_id == user_id)
    return [
        Waiting(
            "approval" if row.status == CallStatus.APPROVAL else "outcome",
            row.thread_id,
            row.title,
            row.id,
            row.name,
            load(row.input),
            as_datetime(row.created_at),
        )
        for row in session.connection().execute(statement)
    ]


def decide(
    tx: Tx,
    thread_id: str,
    ids: Sequence[str],
    *,
    approved: bool,
    reason: str | None,
    args: dict[str, Any] | None,
) -> None:
    """Approve or deny several calls at once.

    Args:
        ids: the calls; either all or none are decided.
        args: edited arguments, by call id; the other calls run as they were shown.

    Raises:
        ToolCallNotFoundError: the thread has no such call.
        ToolCallFinishedError: a call does not wait for approval.
    """
    place: CallPlace | None = None
    chunks: list[Chunk] = []
    cursor = deltas.tick(tx, thread_id)
    for call_id in ids:
        must_exist(tx, thread_id, call_id)
        edited = (args or {}).get(call_id)
        place = (
            _approve(tx, thread_id, call_id, edited) if approved else _deny(tx, thread_id, call_id, reason)
        )
        if place is None:
            raise ToolCallFinishedError(sentence("tool_call_already_decided", call=call_id))
        if approved:
            tx.wake.enqueue(tx, tool_key(thread_id, call_id))
        chunks += _approved(tx, thread_id, call_id, edited) if approved else [_denied(call_id, reason)]
    if place is not None:
        end(tx, thread_id, cursor, place, chunks)
        tx.touched.add(LIST_FEED)  # the list shows which threads wait


def _approve(tx: Tx, thread_id: str, call_id: str, edited: Any) -> CallPlace | None:
    row = tx.one(
        _APPROVE,
        thread_id=thread_id,
        call_id=call_id,
        new_input=None if edited is None else dump(edited),
        new_approval=dump({"approved": True, "at": tx.now}),
    )
    return None if row is None else CallPlace(*row)


def _deny(tx: Tx, thread_id: str, call_id: str, reason: str | None) -> CallPlace | None:
    row = tx.one(
        _DENY,
        thread_id=thread_id,
        call_id=call_id,
        new_error=reason or DENIED.text,
        new_info=None if reason else dump_info(DENIED.text),
        new_approval=dump({"approved": False, "at": tx.now} | ({"reason": reason} if reason else {})),
        now=tx.now,
    )
    return None if row is None else CallPlace(*row)


def _approved(tx: Tx, thread_id: str, call_id: str, edited: Any) -> list[Chunk]:
    """Return the chunks for readers; edited arguments are shown first, and then approved."""
    call: Chunk = {"toolCallId": call_id}
    answer = {"type": "tool-approval-response", **call, "approvalId": call_id, "approved": True}
    if edited is None:
        return [answer]
    (name,) = tx.must(_NAME, thread_id=thread_id, call_id=call_id)
    return [
        {"type": "tool-input-available", **call, "toolName": name, "input": edited},
        {"type": "tool-approval-request", **call, "approvalId": call_id},
        answer,
    ]


def _denied(call_id: str, reason: str | None) -> Chunk:
    """Return the chunk for readers, with the person's reason."""
    return {"type": "tool-output-denied", "toolCallId": call_id} | ({"reason": reason} if reason else {})
