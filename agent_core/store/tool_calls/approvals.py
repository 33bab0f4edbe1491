"""Approve or deny tool calls, several in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from agent_core.domain.end_reasons import DENIED
from agent_core.domain.messages import Chunk
from agent_core.domain.wake_up_key import tool_key
from agent_core.errors import ToolCallFinishedError
from agent_core.sentences import sentence
from agent_core.store.database.columns import CALL, LIST_FEED, P, dump, dump_info
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas
from agent_core.store.tool_calls.calls import CallPlace, locate, move
from agent_core.store.tool_calls.outcomes import end

_APPROVE = move("approve", input=func.coalesce(P("new_input"), CALL.c.input), approval=P("new_approval"))
_DENY = move(
    "deny",
    **{"error": P("new_error"), "error_info": P("new_info"), "end_reason": DENIED.reason.value},
    **{"approval": P("new_approval"), "ended_at": P("now")},
)
_NAME = Statement(select(CALL.c.name).where(CALL.c.thread_id == P("thread_id"), CALL.c.id == P("call_id")))


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
        tx: the transaction.
        thread_id: the thread.
        ids: the calls; either all or none are decided.
        approved: the person's answer.
        reason: the person's reason for a denial.
        args: edited arguments, by call id; the other calls run as they were shown.

    Raises:
        ToolCallNotFoundError: the thread has no such call.
        ToolCallFinishedError: a call does not wait for approval.
    """
    place: CallPlace | None = None
    chunks: list[Chunk] = []
    cursor = deltas.tick(tx, thread_id)
    for call_id in ids:
        locate(tx, call_id, thread_id)
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
