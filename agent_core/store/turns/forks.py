"""Fork a thread: copy its shown messages up to one of them into a new thread.

Messages and streams keep their ids and numbers, which are unique within a thread. Tool calls get new ids, because
`add_tool_result` finds a call by its id alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import and_, insert, select, update

from agent_core.domain.end_reasons import STILL_OPEN
from agent_core.domain.messages import attachments_in
from agent_core.domain.states import OPEN_CALLS, CallStatus, StreamStatus, ThreadStatus
from agent_core.store.database.sql import (
    CALL,
    MESSAGE,
    STREAM,
    THREAD,
    P,
    Statement,
    dump,
    dump_info,
    load,
    one_of,
)
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import files, refusals
from agent_core.store.threads.thread_row import lock
from agent_core.store.turns import branches, turns
from agent_core.support.faults import crash_point
from agent_core.support.ids import new_id

_t, _m = THREAD.c, MESSAGE.c
_copied = (
    _m.thread_id == P("thread_id"),
    _m.branch == 0,
    ~_m.queued,
    _m.position <= P("up_to"),
)
_ORIGIN = Statement(select(_t.agent, _t.title, _t.user_id, _t.meta, _t.seq).where(_t.id == P("thread_id")))
_MESSAGES = Statement(select(*_m).where(*_copied))


def _of_messages(table: Any, *where: Any) -> Statement:
    ours = and_(_m.thread_id == table.c.thread_id, _m.id == table.c.message_id)
    return Statement(
        select(*table.c)
        .select_from(table.join(MESSAGE, ours))
        .where(table.c.thread_id == P("thread_id"), *_copied, *where)
    )


_STREAMS = _of_messages(STREAM, one_of(STREAM.c.status, [StreamStatus.COMMITTED, StreamStatus.PARTIAL]))
_CALLS = _of_messages(CALL)
_INSERT = {
    table.name: Statement(insert(table).values({name: P(name) for name in table.c.keys()}))  # noqa: SIM118
    for table in (MESSAGE, STREAM, CALL)
}
_SETTLE = Statement(
    update(THREAD)
    .where(_t.id == P("thread_id"))
    .values(
        status=P("new_status"),
        seq=P("new_seq"),
        reply_position=P("new_position"),
        reply_id=P("new_reply"),
        **dict.fromkeys(("cursor", "trimmed_cursor", "turn_cursor"), 1),  # followers begin with a snapshot
    )
)


class _Origin(NamedTuple):
    agent: str
    title: str | None
    user_id: str | None
    meta: str
    seq: int


def fork(tx: Tx, thread_id: str, message_id: str, copy_id: str, user_id: str | None) -> None:
    """Create the thread `copy_id` from the shown messages of another, up to and including one of them.

    Args:
        thread_id: the original, running or not.
        user_id: its owner; None: the original's owner.

    Raises:
        ThreadNotFoundError, MessageNotFoundError
        ValidationError: the message is not shown, or a thread with the new id exists.
    """
    lock(tx, thread_id)
    place = branches.shown_place(tx, thread_id, message_id)
    origin = _Origin(*tx.must(_ORIGIN, thread_id=thread_id))
    turns.create(
        tx,
        copy_id,
        agent=origin.agent,
        title=origin.title,
        user_id=user_id if user_id is not None else origin.user_id,
        metadata=load(origin.meta) | {"forked_from": {"thread_id": thread_id, "message_id": message_id}},
    )
    _copy(tx, thread_id, copy_id, place.position)
    reply = message_id if place.role == "assistant" else None
    complete = branches.is_complete(tx, copy_id, reply)
    tx.do(
        _SETTLE,
        thread_id=copy_id,
        new_status=(ThreadStatus.COMPLETED if complete else ThreadStatus.STOPPED).value,
        new_seq=origin.seq,
        new_position=place.position,
        new_reply=reply,
    )
    crash_point("send.inside")


def _copy(tx: Tx, thread_id: str, copy_id: str, up_to: int) -> None:
    """Copy the messages up to a position, with their streams, calls and files."""
    values = {"thread_id": thread_id, "up_to": up_to}
    calls = [_call(tx, call) for call in _rows(tx, CALL, _CALLS, values)]
    names = {call.pop("was"): call["id"] for call in calls}
    messages = _rows(tx, MESSAGE, _MESSAGES, values)
    streams = [_stream(row, names) for row in _rows(tx, STREAM, _STREAMS, values)]
    _insert(tx, MESSAGE, copy_id, messages)
    _insert(tx, STREAM, copy_id, streams)
    _insert(tx, CALL, copy_id, calls)
    files.copy(tx, thread_id, copy_id, _named(messages, streams, calls))
    refusals.copy_files(tx, thread_id, copy_id)


def _named(*copied: Sequence[dict[str, Any]]) -> list[str]:
    """Return the ids of the files that the copied rows name; later files are not copied."""
    return attachments_in(
        value for rows in copied for row in rows for value in row.values() if isinstance(value, str)
    )


def _rows(tx: Tx, table: Any, statement: Statement, values: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table.c.keys(), row, strict=True)) for row in tx.all(statement, **values)]


def _insert(tx: Tx, table: Any, thread_id: str, rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        tx.do(_INSERT[table.name], **row | {"thread_id": thread_id})


def _stream(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Return a stream as a part of the copy's history, without usage: the original counts that."""
    parts = [
        part | {"toolCallId": names[part["toolCallId"]]} if part.get("toolCallId") in names else part
        for part in load(row["parts"])
    ]
    return row | {"parts": dump(parts), "status": StreamStatus.COMMITTED.value, "usage": None}


def _call(tx: Tx, row: dict[str, Any]) -> dict[str, Any]:
    """Return a call with a new id and an outcome; `was` is its id in the original."""
    ended: dict[str, Any] = {}
    if row["status"] in OPEN_CALLS:
        ended = {
            **{"status": CallStatus.FAILED.value, "ended_at": tx.now},
            **{"error": STILL_OPEN.text, "end_reason": STILL_OPEN.reason.value},
            "error_info": dump_info(STILL_OPEN.text),
        }
    return row | ended | {"id": new_id("call"), "was": row["id"]}
