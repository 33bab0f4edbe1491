"""Map rows to values: a thread, and a message from its row, its streams and its tool calls.

An assistant's message consists of its turn's streams in the order of their seq, and its tool parts are completed
from the tool calls' rows; so nothing is stored twice and no row grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from agent_core.domain.end_reasons import END_REASON, ERROR_INFO
from agent_core.domain.messages import Chunk, Message, Part, Role, Thread
from agent_core.domain.signatures import without_metadata
from agent_core.domain.states import CallStatus, StreamStatus
from agent_core.domain.usage import Tally, tally_of
from agent_core.store.database.sql import load, load_info
from agent_core.store.database.tables import MessageRow, StreamRow, ThreadRow, ToolCallRow
from agent_core.store.threads.thread_row import with_token
from agent_core.support.clock import as_datetime
from agent_core.tools.provider_tools import with_later_outcomes

_STATES = {
    CallStatus.APPROVAL: "approval-requested",
    CallStatus.SUCCEEDED: "output-available",
    CallStatus.FAILED: "output-error",
    CallStatus.DENIED: "output-denied",
}


def to_thread(row: ThreadRow) -> Thread:
    """Return a thread from its row."""
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
        error_info=load_info(row.error, row.error_info),
    )


def assemble(
    row: MessageRow,
    streams: Sequence[StreamRow],
    calls: dict[str, ToolCallRow],
    branches: tuple[str, ...] = (),
    *,
    signed: bool = False,
) -> Message:
    """Return a message from its row, its streams in order, the thread's calls by id, and its versions.

    With `signed` its parts keep their signatures, which are not for readers.
    """
    parts: list[Part] = load(row.parts)
    committed = 0
    ends: dict[str, dict[str, Any]] = {}
    for stream in streams:
        parts = with_later_outcomes(parts, filled(load(stream.parts), calls))
        ends |= ends_of(stream, calls)
        if stream.status == StreamStatus.COMMITTED:
            committed = stream.seq
    meta = load(row.meta)
    return Message(
        id=row.id,
        thread_id=row.thread_id,
        role=cast(Role, row.role),
        parts=parts if signed else without_metadata(parts),
        metadata=meta | {"queued": True} if row.queued else meta,
        created_at=as_datetime(row.created_at),
        committed_seq=committed,
        branches=branches,
        usage=_usage(streams),
        end_reasons={name: end[END_REASON] for name, end in ends.items()},
        error_info={name: end[ERROR_INFO] for name, end in ends.items() if ERROR_INFO in end},
    )


def _usage(streams: Sequence[StreamRow]) -> dict[str, Any] | None:
    tallies = [tally_of(load(stream.usage)) for stream in streams if stream.usage is not None]
    return sum(tallies, Tally()).to_dict() if tallies else None


def ends_of(stream: StreamRow, calls: dict[str, ToolCallRow]) -> dict[str, dict[str, Any]]:
    """Return why calls of a stream failed, by their ids, in the form of `fold.error_chunk`.

    A call without a row ended with its stream.
    """
    found: dict[str, dict[str, Any]] = {}
    for part in load(stream.parts):
        name = part.get("toolCallId", "")
        row = calls.get(name) or (stream if part.get("state") == "output-error" else None)
        if row is not None and row.end_reason is not None:
            info = load_info(row.error, row.error_info)
            found[name] = {END_REASON: row.end_reason} | ({ERROR_INFO: info} if info else {})
    return found


def with_ends(chunks: list[Chunk], ends: Mapping[str, dict[str, Any]]) -> list[Chunk]:
    """Return chunks with the reason of each failed call, if it is known."""
    return [
        chunk | ends.get(chunk["toolCallId"], {}) if chunk["type"] == "tool-output-error" else chunk
        for chunk in chunks
    ]


def filled(parts: list[Part], calls: dict[str, ToolCallRow]) -> list[Part]:
    """Return the parts, with tool parts completed from their calls' rows."""
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
        answer.pop("at", None)  # the time, which is for the timeline
        fields["approval"] = {"id": call.id, **answer}
    return fields
