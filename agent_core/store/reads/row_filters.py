"""Build conditions on threads, messages, and the rows of some messages.

Given a thread and messages, SQLite scans all rows of the thread by their primary key, because it does not know
that a thread may be long; a page of a long thread would cost as much as the whole. So `streams_of` and `calls_of`
select the keys first, from the index of messages.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, exists, select
from sqlmodel.sql.expression import SelectOfScalar

from agent_core.domain.states import OPEN_CALLS, CallStatus
from agent_core.store.database.sql import one_of
from agent_core.store.database.tables import MessageRow, StreamRow, ThreadRow, ToolCallRow

_stream, _call = aliased(StreamRow), aliased(ToolCallRow)


def streams_of(thread_id: str, messages: Collection[str]) -> ColumnElement[bool]:
    """Build the condition that a stream of the thread belongs to one of these messages."""
    keys = select(_stream.seq).where(_stream.thread_id == thread_id, col(_stream.message_id).in_(messages))
    return col(StreamRow.seq).in_(keys)


def calls_of(thread_id: str, messages: Collection[str]) -> ColumnElement[bool]:
    """Build the condition that a tool call of the thread belongs to one of these messages."""
    keys = select(_call.id).where(_call.thread_id == thread_id, col(_call.message_id).in_(messages))
    return col(ToolCallRow.id).in_(keys)


class ThreadPlace(NamedTuple):
    """The place of a thread in the order of activity: its newest activity, in seconds since the epoch, and its id."""

    updated_at: float
    id: str


def before(place: ThreadPlace) -> ColumnElement[bool]:
    """Build the condition that a thread's activity is older than a place."""
    at, name = col(ThreadRow.updated_at), col(ThreadRow.id)
    # The first condition uses the index; the second one alone would scan all newer threads.
    return and_(at <= place.updated_at, or_(at < place.updated_at, name < place.id))


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
