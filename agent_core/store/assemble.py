"""Rows put together: a thread's value, and a message from its row, its streams and its tool calls.

An assistant's message is its turn's streams in the order of their seq, and its tool parts are
filled in from the tool calls' rows; so nothing is stored twice and no row grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from agent_core.clock import as_datetime
from agent_core.end_reasons import END_REASON
from agent_core.hosted import with_later_outcomes
from agent_core.messages import Chunk, Message, Part, Role, Thread
from agent_core.signatures import readable
from agent_core.states import CallStatus, StreamStatus
from agent_core.store.rows import load
from agent_core.store.tokens import with_token
from agent_core.tables import MessageRow, StreamRow, ThreadRow, ToolCallRow
from agent_core.usage import Tally, tally_of

_STATES = {
    CallStatus.APPROVAL: "approval-requested",
    CallStatus.SUCCEEDED: "output-available",
    CallStatus.FAILED: "output-error",
    CallStatus.DENIED: "output-denied",
}


def to_thread(row: ThreadRow) -> Thread:
    """Turn a row into a value."""
    return Thread(
        id=row.id,
        status=row.status,
        title=row.title,
        user_id=row.user_id,
        agent=row.agent,
        stop_signal=row.stop_signal,
        seq=row.seq,
        retry_state=load(row.retry_state),
        error=row.error,
        error_kind=row.error_kind,
        pinned=row.pinned,
        archived=row.archived,
        metadata=with_token(load(row.meta), row.share),
        created_at=as_datetime(row.created_at),
        updated_at=as_datetime(row.updated_at),
        cursor=row.cursor,
        in_bin=row.delete_at is not None,
    )


def assemble(
    row: MessageRow,
    streams: Sequence[StreamRow],
    calls: dict[str, ToolCallRow],
    branches: tuple[str, ...] = (),
    *,
    signed: bool = False,
) -> Message:
    """Put a message together from its row, its streams in order, the thread's calls by id, its alternatives.

    With `signed` its parts keep what only their provider may see again: it is for no reader.
    """
    parts: list[Part] = load(row.parts)
    committed = 0
    reasons: dict[str, str] = {}
    for stream in streams:
        parts = with_later_outcomes(parts, filled(load(stream.parts), calls))
        reasons |= end_reasons(stream, calls)
        if stream.status == StreamStatus.COMMITTED:
            committed = stream.seq
    meta = load(row.meta)
    return Message(
        id=row.id,
        thread_id=row.thread_id,
        role=cast(Role, row.role),
        parts=parts if signed else readable(parts),
        metadata=meta | {"queued": True} if row.queued else meta,
        created_at=as_datetime(row.created_at),
        committed_seq=committed,
        branches=branches,
        usage=_usage(streams),
        end_reasons=reasons,
    )


def _usage(streams: Sequence[StreamRow]) -> dict[str, Any] | None:
    tallies = [tally_of(load(stream.usage)) for stream in streams if stream.usage is not None]
    return sum(tallies, Tally()).to_dict() if tallies else None


def end_reasons(stream: StreamRow, calls: dict[str, ToolCallRow]) -> dict[str, str]:
    """Return why calls of a stream failed, by their ids; one that never got a row ended with its stream."""
    found: dict[str, str] = {}
    for part in load(stream.parts):
        name = part.get("toolCallId", "")
        call = calls.get(name)
        failed = part.get("state") == "output-error"
        reason = call.end_reason if call is not None else stream.end_reason if failed else None
        if reason is not None:
            found[name] = reason
    return found


def with_reasons(chunks: list[Chunk], reasons: Mapping[str, str]) -> list[Chunk]:
    """Return chunks with the reason of each failed call, where there is one."""
    return [
        chunk | {END_REASON: reasons[chunk["toolCallId"]]}
        if chunk["type"] == "tool-output-error" and chunk["toolCallId"] in reasons
        else chunk
        for chunk in chunks
    ]


def filled(parts: list[Part], calls: dict[str, ToolCallRow]) -> list[Part]:
    """Return the parts with each tool part as its call's row has it."""
    return [
        part | _call_fields(call) if (call := calls.get(part.get("toolCallId", ""))) else part
        for part in parts
    ]


def _call_fields(call: ToolCallRow) -> Part:
    status = CallStatus(call.status)
    state = "input-available" if call.approval is None else "approval-responded"
    fields: Part = {"state": _STATES.get(status, state), "input": load(call.input)}
    if status is CallStatus.SUCCEEDED:
        fields["output"] = load(call.output)
    elif status is CallStatus.FAILED:
        fields["errorText"] = call.error
    if status is CallStatus.APPROVAL:
        fields["approval"] = {"id": call.id}
    elif call.approval is not None:
        answer = load(call.approval)
        answer.pop("at", None)  # when it was given: for the timeline
        fields["approval"] = {"id": call.id, **answer}
    return fields
