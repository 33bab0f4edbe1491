"""Read threads, messages and updates from rows, in consistent snapshots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, and_, func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from agent_core.domain.messages import Chunk, Message, Part, StoredFile, Thread, Update, attachments_in
from agent_core.domain.signatures import without_metadata
from agent_core.domain.states import StreamStatus
from agent_core.store.database.open import retry_reads
from agent_core.store.database.sql import CALL, DELTA, MESSAGE, STREAM, THREAD, P, Statement, dump, load
from agent_core.store.database.tables import DeltaRow, MessageRow, StreamRow, ThreadRow, ToolCallRow
from agent_core.store.reads.row_filters import calls_of, not_aside, streams_of
from agent_core.store.reads.row_mapping import assemble, ends_of, filled, to_thread, with_ends
from agent_core.store.threads import files
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
_m, _s, _c = MESSAGE.c, STREAM.c, CALL.c
_NEVER = datetime.fromtimestamp(0, UTC)

_MESSAGES = Statement(
    sql_select(_m.id, _m.role, _m.parts)
    .where(_m.thread_id == P("thread_id"), _m.branch == 0, ~_m.queued)
    .order_by(_m.position)
)
_STREAMS = Statement(
    sql_select(_s.message_id, _s.parts)
    .where(_s.thread_id == P("thread_id"), _s.status == StreamStatus.COMMITTED.value)
    .order_by(_s.seq)
)
_CALLS = Statement(
    sql_select(_c.id, _c.status, _c.input, _c.output, _c.error, _c.approval).where(
        _c.thread_id == P("thread_id")
    )
)


class Fence(NamedTuple):
    """The fence of a thread's work: its `seq`, and the status in which it holds."""

    seq: int
    status: str


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
    """The reading side of the store; every method is one consistent snapshot and blocks."""

    def __init__(self, engine: Engine) -> None:
        isolation = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._engine = engine.execution_options(**isolation)

    def session(self) -> Session:
        """Open a read session."""
        return Session(self._engine, autoflush=False, expire_on_commit=False)

    def read(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Return `function(session, *args, **kwargs)`, which reads one consistent snapshot."""
        with self.session() as session:
            return function(session, *args, **kwargs)

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
        """Return the messages for the model, and the ids of all tool calls, those of branches that were put aside, too."""
        with self._engine.connect() as connection:
            return _history(connection, thread_id)

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
            return assemble(row, streams, calls, _versions(session, thread_id, [row]).get(row.id, ()))

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
    others = _versions(session, thread_id, rows)
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


def _history(connection: Connection, thread_id: str) -> tuple[list[Message], set[str]]:
    """Return the committed messages of the shown branch, and the ids of all calls of the thread.

    Three statements without a session: a long thread is read whole, and objects that a session tracks cost several
    times as much as rows. Partial and queued messages are left out, and so are times and metadata. The ids include those of branches that
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


def _versions(session: Session, thread_id: str, rows: Sequence[MessageRow]) -> dict[str, tuple[str, ...]]:
    """Return the ids of all versions, oldest first, of each shown message in `rows` that has more than one.

    For a thread without branches this is one index lookup.
    """
    aside = (MessageRow.thread_id == thread_id, col(MessageRow.branch) > 0)
    if not rows or session.exec(select(MessageRow.id).where(*aside).limit(1)).first() is None:
        return {}
    # Only the first message of a branch can be a version of a shown one.
    first = (
        select(MessageRow.branch, func.min(col(MessageRow.position)).label("position"))
        .where(*aside)
        .group_by(col(MessageRow.branch))
        .subquery()
    )
    place = and_(col(MessageRow.branch) == first.c.branch, col(MessageRow.position) == first.c.position)
    heads = session.exec(
        select(MessageRow.parent_id, MessageRow.created_at, MessageRow.id)
        .join(first, place)
        .where(MessageRow.thread_id == thread_id)
    )
    by_parent: defaultdict[str | None, list[tuple[float, str]]] = defaultdict(list)
    for parent_id, created_at, head in heads:
        by_parent[parent_id].append((created_at, head))
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if not row.queued and row.branch == 0 and (others := by_parent.get(row.parent_id)):
            found[row.id] = tuple(name for _, name in sorted([*others, (row.created_at, row.id)]))
    return found
