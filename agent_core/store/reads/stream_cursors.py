"""Read streams by cursor: the deltas that a client with a cursor for each stream has not read.

The form is that of `listMessagesWithStreams` of the npm package convex-durable-agents (0.2.6): first the list of
streams, then their deltas after the client's cursors. A cursor is the number of the thread's last delta row that the
client has read, which it gets as the `end` of a delta, so later rows are found without counting. Deltas are
half-open: their chunks come after `start`, up to and including `end`, and each begins where the previous one ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import exists, select
from sqlmodel import Session

from agent_core.domain.messages import Chunk
from agent_core.domain.signatures import without_metadata
from agent_core.domain.states import StreamStatus
from agent_core.store.database.sql import DELTA, STREAM, load
from agent_core.streaming.fold import merge

_OF_THREAD = ("data-thread", "data-message")
"""Chunks about the thread in the same rows; they do not belong to a stream."""

_STATUS = {
    StreamStatus.STREAMING: "streaming",
    StreamStatus.COMMITTED: "finished",
    StreamStatus.PARTIAL: "aborted",
}
_NUMBER = re.compile("[0-9]{1,9}")
_s, _d = STREAM.c, DELTA.c
_LIST = (
    select(_s.seq, _s.message_id, _s.status, _s.started_at)
    .where(_s.status.in_(list(_STATUS)), exists().where(_d.thread_id == _s.thread_id, _d.seq == _s.seq))
    .order_by(_s.seq)
)
_DELTAS = (
    select(_d.cursor, _d.seq, _d.message_id, _d.chunks)
    .join(STREAM, (_s.thread_id == _d.thread_id) & (_s.seq == _d.seq))
    .where(_s.status.in_(list(_STATUS)))
    .order_by(_d.cursor)
)


def streams(session: Session, thread_id: str) -> list[dict[str, Any]]:
    """Return the streams with stored deltas, oldest first, except those that were replaced."""
    rows = session.connection().execute(_LIST.where(_s.thread_id == thread_id))
    return [
        {
            "streamId": _stream_id(thread_id, row.seq),
            "status": _STATUS[row.status],
            "msgId": row.message_id,
            "threadId": thread_id,
            "seq": row.seq,
            "_creationTime": row.started_at * 1000,
        }
        for row in rows
    ]


def deltas_after(session: Session, thread_id: str, cursors: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return one delta for each stream with chunks after its cursor; `cursors` are by seq."""
    if not cursors:
        return []
    wanted = _DELTAS.where(
        _d.thread_id == thread_id, _d.seq.in_(list(cursors)), _d.cursor > min(cursors.values())
    )
    found: dict[int, dict[str, Any]] = {}
    for row in session.connection().execute(wanted):
        if row.cursor <= cursors[row.seq]:
            continue
        delta = found.setdefault(row.seq, _delta(thread_id, row.seq, row.message_id, cursors[row.seq]))
        delta["end"] = row.cursor
        delta["parts"] += [
            chunk for chunk in without_metadata(load(row.chunks)) if chunk["type"] not in _OF_THREAD
        ]
    for delta in found.values():
        delta["parts"] = merge(delta["parts"])
    return [found[seq] for seq in cursors if seq in found]


def _delta(thread_id: str, seq: int, message_id: str, start: int) -> dict[str, Any]:
    ids = {"streamId": _stream_id(thread_id, seq), "seq": seq, "messageId": message_id}
    return {**ids, "start": start, "end": start, "parts": list[Chunk]()}


def _stream_id(thread_id: str, seq: int) -> str:
    """Return the name of a stream for clients."""
    return f"{thread_id}:{seq}"


def seq_of(thread_id: str, name: str) -> int | None:
    """Return the seq of the stream `name`; None if it is not a stream of this thread."""
    prefix, _, number = name.rpartition(":")
    return int(number) if prefix == thread_id and _NUMBER.fullmatch(number) else None
