"""Build conditions that find the rows of some messages of a thread by the index of messages.

Given the thread and the messages, SQLite scans all rows of the thread by their primary key, because it does not
know that a thread may be long; a page of a long thread would cost as much as the whole. So the keys are selected
first: the index of messages holds them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import col, exists, select
from sqlmodel.sql.expression import SelectOfScalar

from agent_core.domain.states import OPEN_CALLS, CallStatus
from agent_core.store.database.sql import one_of
from agent_core.store.database.tables import MessageRow, StreamRow, ToolCallRow

_stream, _call = aliased(StreamRow), aliased(ToolCallRow)


def streams_of(thread_id: str, messages: Collection[str]) -> ColumnElement[bool]:
    """Build the condition that a stream of the thread belongs to one of these messages."""
    keys = select(_stream.seq).where(_stream.thread_id == thread_id, col(_stream.message_id).in_(messages))
    return col(StreamRow.seq).in_(keys)


def calls_of(thread_id: str, messages: Collection[str]) -> ColumnElement[bool]:
    """Build the condition that a tool call of the thread belongs to one of these messages."""
    keys = select(_call.id).where(_call.thread_id == thread_id, col(_call.message_id).in_(messages))
    return col(ToolCallRow.id).in_(keys)


def not_aside(thread_id: Any, message_id: Any) -> ColumnElement[bool]:
    """Build the condition that a message, which may have no row yet, is not put aside."""
    aside = exists().where(
        col(MessageRow.thread_id) == thread_id, col(MessageRow.id) == message_id, col(MessageRow.branch) > 0
    )
    return ~aside


def waiting_threads() -> SelectOfScalar[str]:
    """Select the ids of the threads in which a tool call waits for a person or another system."""
    open_ones = one_of(_call.status, OPEN_CALLS)  # the condition of the index
    return select(_call.thread_id).where(
        open_ones, one_of(_call.status, [CallStatus.APPROVAL, CallStatus.WAITING])
    )
