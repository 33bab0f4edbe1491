"""Read a thread's history for a model from the rows, when the history cache has none.

Three statements without a session: a long thread is read whole, and objects that a session tracks cost several
times as much as rows.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from agent_core.domain.messages import Message, Part
from agent_core.domain.states import StreamStatus
from agent_core.store.database.columns import CALL, MESSAGE, STREAM, P, load
from agent_core.store.database.statement import Statement
from agent_core.store.reads.row_mapping import filled

_m, _s, _c = MESSAGE.c, STREAM.c, CALL.c
_NEVER = datetime.fromtimestamp(0, UTC)

_MESSAGES = Statement(
    select(_m.id, _m.role, _m.parts)
    .where(_m.thread_id == P("thread_id"), _m.branch == 0, ~_m.queued)
    .order_by(_m.position)
)
_STREAMS = Statement(
    select(_s.message_id, _s.parts)
    .where(_s.thread_id == P("thread_id"), _s.status == StreamStatus.COMMITTED.value)
    .order_by(_s.seq)
)
_CALLS = Statement(
    select(_c.id, _c.status, _c.input, _c.output, _c.error, _c.approval).where(_c.thread_id == P("thread_id"))
)


def read_history(connection: Connection, thread_id: str) -> tuple[list[Message], set[str]]:
    """Return the committed messages of the shown branch, and the ids of all calls of the thread.

    Partial and queued messages are left out, and so are times and metadata. The ids include those of branches that
    were put aside.
    """

    def rows(statement: Statement) -> Any:
        sql, defaults = statement.compiled(connection.dialect)
        return connection.exec_driver_sql(sql, defaults | {"thread_id": thread_id})

    calls: dict[str, Any] = {row.id: row for row in rows(_CALLS)}
    replies: defaultdict[str, list[Part]] = defaultdict(list)
    for message_id, parts in rows(_STREAMS):
        replies[message_id] += filled(load(parts), calls)
    messages = [
        Message(message_id, thread_id, role, load(parts) + replies.get(message_id, []), _NEVER)
        for message_id, role, parts in rows(_MESSAGES)
    ]
    return messages, set(calls)
