"""Approvals: calls that wait for a person's yes, decided several at once in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func

from agent_core.errors import ToolCallFinishedError
from agent_core.messages import Chunk
from agent_core.store import deltas
from agent_core.store.calls import end, locate, move
from agent_core.store.rows import CALL, P, dump, tool_key
from agent_core.store.writer import Tx

_APPROVE = move("approve", input=func.coalesce(P("new_input"), CALL.c.input))
_DENY = move("deny", error=P("new_error"), ended_at=P("now"))


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
        ids: the calls; all of them or none are decided.
        approved: the person's answer.
        reason: the person's words when denied.
        args: edited arguments by call id; the others run as they were shown.

    Raises:
        ToolCallNotFoundError: an id is not in this thread.
        ToolCallFinishedError: one of them does not wait for approval any more.
    """
    row: tuple[Any, ...] | None = None
    chunks: list[Chunk] = []
    cursor = deltas.tick(tx, thread_id)
    for call_id in ids:
        locate(tx, call_id, thread_id)
        row = _decide_one(tx, thread_id, call_id, approved, reason, (args or {}).get(call_id))
        if row is None:
            raise ToolCallFinishedError(f"The tool call {call_id!r} does not wait for approval any more.")
        chunks += _decided(tx, thread_id, call_id, approved, reason, (args or {}).get(call_id))
    if row is not None:
        end(tx, thread_id, cursor, row, chunks)


def _decide_one(
    tx: Tx, thread_id: str, call_id: str, approved: bool, reason: str | None, args: Any
) -> tuple[Any, ...] | None:
    if approved:
        edited = None if args is None else dump(args)
        return tx.one(_APPROVE, thread_id=thread_id, call_id=call_id, new_input=edited)
    words = reason or "A person denied this call."
    return tx.one(_DENY, thread_id=thread_id, call_id=call_id, new_error=words, now=tx.now)


def _decided(
    tx: Tx, thread_id: str, call_id: str, approved: bool, reason: str | None, args: Any
) -> list[Chunk]:
    if not approved:
        return [{"type": "tool-output-denied", "toolCallId": call_id, "reason": reason}]
    tx.wake.enqueue(tx, tool_key(thread_id, call_id), thread_id)
    data: dict[str, Any] = {"status": "approved"} | ({} if args is None else {"input": args})
    return [{"type": "data-tool-run", "id": call_id, "data": data}]
