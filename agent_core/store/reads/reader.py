"""Read threads, messages and updates from rows, in consistent snapshots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine, and_, bindparam, exists
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from agent_core.domain.messages import Chunk, Message, StoredFile, Thread, Update, attachments_in
from agent_core.domain.signatures import without_metadata
from agent_core.domain.states import StreamStatus
from agent_core.domain.suspects import Suspect
from agent_core.store.database.columns import DELTA, THREAD, WAKE_UP, P, dump, load
from agent_core.store.database.retry_reads import retry_reads
from agent_core.store.database.statement import Statement
from agent_core.store.database.tables import DeltaRow, MessageRow, StreamRow, ThreadRow, ToolCallRow
from agent_core.store.reads.message_versions import not_aside, versions_of
from agent_core.store.reads.model_history import read_history
from agent_core.store.reads.row_filters import calls_of, streams_of
from agent_core.store.reads.row_mapping import assemble, ends_of, filled, to_thread, with_ends
from agent_core.store.threads import files, suspects
from agent_core.store.tool_calls import attempts
from agent_core.streaming.fold import kept, merge, unfold

R = TypeVar("R")
_t, _d = THREAD.c, DELTA.c
_FOLLOWING = Statement(
    sql_select(_t.cursor, _t.trimmed_cursor, _d.cursor, _d.seq, _d.message_id, _d.chunks)
    .select_from(THREAD.outerjoin(DELTA, and_(_d.thread_id == _t.id, _d.cursor > P("after"))))
    .where(_t.id == P("thread_id"), _t.delete_at.is_(None))
    .order_by(_d.cursor)
)
_w = WAKE_UP.c
_free = sql_select(_w.id).where(_w.worker.is_(None))
_DUE = sql_select(
    exists(_free.where(_w.company.is_(None), _w.next_run_time <= bindparam("since"))),
    exists(_free.where(_w.company.is_not(None), _w.next_run_time <= bindparam("now"))),
)
_EXPIRED = (
    sql_select(_w.worker).where(_w.worker.is_not(None), _w.next_run_time <= bindparam("now")).distinct()
)


class Fence(NamedTuple):
    """The fence of a thread's work: its `seq`, and the status in which it holds."""

    seq: int
    status: str


class DueKinds(NamedTuple):
    """Whether fresh work is due, and whether suspects are."""

    fresh: bool
    suspect: bool


class _Delta(NamedTuple):
    """A delta of a thread, or nulls if there is none; the first two are the thread's."""

    thread_cursor: int
    trimmed_cursor: int
    cursor: int | None
    seq: int
    message_id: str | None
    chunks: str


class _LiveStream(NamedTuple):
    seq: int = 0
    message_id: str | None = None
    chunks: Sequence[Chunk] = ()


@retry_reads
class Reads:
    """The reading side of the store; every method is one consistent snapshot and blocks.

    Args:
        engine: the engine for readers.
    """

    def __init__(self, engine: Engine) -> None:
        isolation = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._engine = engine.execution_options(**isolation)

    def session(self) -> Session:
        """Open a read session."""
        return Session(self._engine, autoflush=False, expire_on_commit=False)

    def read(self, function: Callable[..., R], *args: Any) -> R:
        """Return `function(session, *args)`, which reads one consistent snapshot."""
        with self.session() as session:
            return function(session, *args)

    def thread(self, thread_id: str) -> Thread | None:
        """Return a thread, or None; also one in the bin, so that `restore` can be authorized."""
        with self.session() as session:
            row = session.get(ThreadRow, thread_id)
            return to_thread(row) if row else None

    def messages(self, thread_id: str, limit: int | None = None, before: str | None = None) -> list[Message]:
        """Return the newest `limit` messages before the message `before`, oldest first."""
        with self.session() as session:
            return _messages(session, thread_id, limit, before, partial=True)

    def exported(self, thread_id: str) -> tuple[list[Message], dict[str, StoredFile]]:
        """Return every message, its parts with their signatures, and the files that they name."""
        with self.session() as session:
            found = _messages(session, thread_id, None, None, partial=True, signed=True)
            named = attachments_in(dump(message.parts) for message in found)
            return found, files.read(session, thread_id, named)

    def messages_with(
        self, thread_id: str, function: Callable[..., R], *args: Any
    ) -> tuple[list[Message], R]:
        """Return every message and `function(session, thread_id, *args)`, from the same snapshot."""
        with self.session() as session:
            found = _messages(session, thread_id, None, None, partial=True)
            return found, function(session, thread_id, *args)

    def history(self, thread_id: str) -> tuple[list[Message], set[str]]:
        """Return the messages for the model, and the ids of all tool calls; see `read_history`."""
        with self._engine.connect() as connection:
            return read_history(connection, thread_id)

    def threads_of_call(self, call_id: str, most: int) -> list[str]:
        """Return up to `most` threads that have a tool call with this id, the newest calls first."""
        statement = select(ToolCallRow.thread_id).where(ToolCallRow.id == call_id)
        with self.session() as session:
            return list(session.exec(statement.order_by(col(ToolCallRow.created_at).desc()).limit(most)))

    def snapshot(self, thread_id: str, limit: int | None) -> Update | None:
        """Return the snapshot with which a reader begins; None if there is no thread."""
        with self.session() as session:
            row = session.get(ThreadRow, thread_id)
            if row is None or row.delete_at is not None:
                return None
            messages = _messages(session, thread_id, limit, None, partial=False)
            live = _live_stream(session, thread_id, row.reply_id)
            return Update(
                type="snapshot",
                cursor=row.cursor,
                thread=to_thread(row),
                messages=tuple(messages),
                seq=live.seq,
                message_id=live.message_id,
                chunks=(*live.chunks, *attempts.open_runs(session, thread_id)),
            )

    def updates(self, thread_id: str, cursor: int) -> list[Update] | None:
        """Return the updates after `cursor`, in order; None if a snapshot is needed or the thread is gone.

        This runs for each flush of each followed stream, so it is one statement on the bare driver, which
        reads one consistent snapshot.
        """
        rows = [_Delta(*row) for row in self._on_driver(_FOLLOWING, thread_id=thread_id, after=cursor)]
        if not rows or not rows[0].trimmed_cursor <= cursor <= rows[0].thread_cursor:
            return None
        return [
            Update(
                type="chunks",
                cursor=row.cursor,
                seq=row.seq,
                message_id=row.message_id,
                chunks=tuple(without_metadata(load(row.chunks))),
            )
            for row in rows
            if row.cursor is not None
        ]

    def _on_driver(self, statement: Statement, **values: Any) -> Sequence[Any]:
        """Run one statement without SQLAlchemy's session, which would cost more than the statement."""
        sql, defaults = statement.compiled(self._engine.dialect)
        connection = self._engine.raw_connection()
        try:
            reading = connection.cursor()
            reading.execute(sql, defaults | values)
            return reading.fetchall()
        except BaseException:
            connection.invalidate()  # it may be lost
            raise
        finally:
            connection.close()

    def streams(self, thread_id: str, from_seq: int) -> list[Update]:
        """Return the chunks of each stream with seq >= `from_seq`, one update per stream."""
        kept = [StreamStatus.COMMITTED, StreamStatus.PARTIAL, StreamStatus.STREAMING]
        with self.session() as session:
            rows = session.exec(
                select(StreamRow)
                .where(
                    StreamRow.thread_id == thread_id,
                    col(StreamRow.seq) >= from_seq,
                    col(StreamRow.status).in_(kept),
                    not_aside(StreamRow.thread_id, StreamRow.message_id),
                )
                .order_by(col(StreamRow.seq))
            ).all()
            calls = _calls(session, thread_id, {row.message_id for row in rows})
            return [_stream_update(session, row, calls) for row in rows]

    def call(self, thread_id: str, call_id: str) -> ToolCallRow | None:
        """Return a tool call's row."""
        with self.session() as session:
            return session.get(ToolCallRow, (thread_id, call_id))

    def message(self, thread_id: str, message_id: str) -> Message | None:
        """Return one message."""
        with self.session() as session:
            row = session.get(MessageRow, (thread_id, message_id))
            if row is None:
                return None
            replies = {row.id} if row.role == "assistant" else set[str]()
            streams = _streams(session, thread_id, replies, everything=False, partial=True)
            calls = _calls(session, thread_id, replies)
            return assemble(row, streams, calls, versions_of(session, thread_id, [row]).get(row.id, ()))

    def anything_due(self, now: float, delay: float = 0.0) -> DueKinds:
        """Return whether fresh work has been due for `delay` seconds, and whether a suspect is due.

        A read, so that the write lock is taken only if there is work to lease.
        """
        with self.session() as session:
            values = {"since": now - delay, "now": now}
            fresh, suspect = session.connection().execute(_DUE, values).one()
            return DueKinds(bool(fresh), bool(suspect))

    def suspects(self) -> list[Suspect]:
        """Return every suspect; see `agent_core.domain.suspects`."""
        return self.read(suspects.found)

    def expired(self, now: float) -> list[str]:
        """Return the workers with an expired lease."""
        with self.session() as session:
            return list(session.connection().execute(_EXPIRED, {"now": now}).scalars())

    def fences(self, thread_ids: Sequence[str]) -> dict[str, Fence]:
        """Return the fence of each thread that still exists."""
        with self.session() as session:
            rows = session.exec(
                select(ThreadRow.id, ThreadRow.seq, ThreadRow.status).where(col(ThreadRow.id).in_(thread_ids))
            )
            return {thread_id: Fence(seq, status) for thread_id, seq, status in rows}


def _messages(
    session: Session,
    thread_id: str,
    limit: int | None,
    before: str | None,
    *,
    partial: bool,
    signed: bool = False,
) -> list[Message]:
    statement = select(MessageRow).where(MessageRow.thread_id == thread_id, MessageRow.branch == 0)
    if before is not None:
        mark = session.get(MessageRow, (thread_id, before))
        statement = statement.where(col(MessageRow.position) < (mark.position if mark else 0))
    statement = statement.order_by(col(MessageRow.position).desc())
    rows = session.exec(statement.limit(limit) if limit is not None else statement).all()[::-1]
    replies = {row.id for row in rows if row.role == "assistant"}
    streams: dict[str, list[StreamRow]] = defaultdict(list)
    for stream in _streams(session, thread_id, replies, limit is None, partial):
        streams[stream.message_id].append(stream)
    calls = _calls(session, thread_id, None if limit is None else replies)
    others = versions_of(session, thread_id, rows)
    return [assemble(row, streams[row.id], calls, others.get(row.id, ()), signed=signed) for row in rows]


def _streams(
    session: Session, thread_id: str, replies: set[str], everything: bool, partial: bool
) -> Sequence[StreamRow]:
    if not replies:
        return []
    wanted = [StreamStatus.COMMITTED, StreamStatus.PARTIAL] if partial else [StreamStatus.COMMITTED]
    statement = select(StreamRow).where(col(StreamRow.status).in_(wanted))
    if everything:
        statement = statement.where(StreamRow.thread_id == thread_id)
    else:
        statement = statement.where(StreamRow.thread_id == thread_id, streams_of(thread_id, replies))
    return session.exec(statement.order_by(col(StreamRow.seq))).all()


def _calls(session: Session, thread_id: str, messages: set[str] | None) -> dict[str, ToolCallRow]:
    statement = select(ToolCallRow)
    if messages is None:
        statement = statement.where(ToolCallRow.thread_id == thread_id)
    elif not messages:
        return {}
    else:
        statement = statement.where(ToolCallRow.thread_id == thread_id, calls_of(thread_id, messages))
    return {row.id: row for row in session.exec(statement)}


def _live_stream(session: Session, thread_id: str, reply: str | None) -> _LiveStream:
    """Return the reply's newest uncommitted stream with chunks: it streams, or its attempt was cut."""
    open_ones = [StreamStatus.STREAMING, StreamStatus.PARTIAL]
    row: Any = None
    for row in session.exec(
        select(StreamRow)
        .where(
            StreamRow.thread_id == thread_id,
            streams_of(thread_id, {reply or ""}),
            col(StreamRow.status).in_(open_ones),
        )
        .order_by(col(StreamRow.seq).desc())
    ):
        chunks = _chunks_of(session, row)
        if chunks:
            return _LiveStream(row.seq, row.message_id, chunks)
    return _LiveStream(row.seq, row.message_id) if row else _LiveStream()


def _chunks_of(session: Session, row: StreamRow) -> list[Chunk]:
    if row.status == StreamStatus.PARTIAL:
        return with_ends(unfold(without_metadata(load(row.parts))), ends_of(row, {}))
    deltas = session.exec(
        select(DeltaRow.chunks)
        .where(DeltaRow.thread_id == row.thread_id, DeltaRow.seq == row.seq)
        .order_by(col(DeltaRow.cursor))
    )
    return merge(kept([chunk for chunks in deltas for chunk in without_metadata(load(chunks))]))


def _stream_update(session: Session, row: StreamRow, calls: dict[str, ToolCallRow]) -> Update:
    chunks = _chunks_of(session, row)
    if row.status == StreamStatus.COMMITTED:
        parts = filled(without_metadata(load(row.parts)), calls)
        chunks = [*with_ends(unfold(parts), ends_of(row, calls)), {"type": "finish-step"}]
    return Update(type="chunks", cursor=row.seq, seq=row.seq, message_id=row.message_id, chunks=tuple(chunks))
