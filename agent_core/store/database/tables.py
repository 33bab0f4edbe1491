"""The schema: the nouns as rows. The database is the only truth; everything else is a view of it.

JSON stands as text: it is written once by us and read whole, on every database the same way.
Moments are seconds since the epoch. Beside an `error` of our own words stands `error_info`, the sentence's
text, code and params as JSON; see `store.rows.load_info`. No foreign keys between the tables of one thread: every row
carries its thread_id and is deleted by it, in one transaction.
"""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, Text, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry()):
    """The base of our tables, with metadata of its own, apart from the application's SQLModels."""

    __table_args__: ClassVar[Any] = ()


_CLUSTERED = {"sqlite_with_rowid": False}  # rows stand in the primary key's own tree: half the size


def _json(default: str) -> Any:
    return Field(default=default, sa_column=Column(Text, nullable=False, server_default=default))


def _count(default: int = 0) -> Any:
    return Field(default=default, sa_column=Column(Integer, nullable=False, server_default=str(default)))


def _index(name: str, columns: list[str], where: str) -> Index:
    """An index over few rows of a long table: those that something still waits for."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


# The same words, in the same order, as the statements that use these indexes.
_RUNNING = "status = 'awaiting_tool_results' OR status = 'streaming'"
_OPEN = "status = 'approval' OR status = 'pending' OR status = 'running' OR status = 'waiting'"


class ThreadRow(Table, table=True):
    """An ordered conversation: where it stands, and the fence of whoever works on it.

    status    streaming <-> awaiting_tool_results -> completed | failed | stopped -> streaming
    seq       the fence: grows with each claim of a model step and with each stop
    cursor    number of the newest delta row
    trimmed   deltas up to this cursor may be gone
    turn_cursor  where the current turn began; readers of the turn before it are still served
    attempt   failed attempts at the current model step
    crashes   of the versions before 0007; see WakeUpRow
    steps     model steps committed in the current turn
    share     the token with which anybody may read it; none: it is not shared
    delete_at  it is in the bin: hidden, refused to everybody, and deleted then; none: it is not
    """

    __tablename__: ClassVar[Any] = "agent_thread"
    __table_args__: ClassVar[Any] = (
        Index("agent_thread_by_activity", "updated_at"),  # the thread list
        _index("agent_thread_running", ["status"], _RUNNING),  # the reconciler looks for these
        _index("agent_thread_in_bin", ["delete_at"], "delete_at IS NOT NULL"),  # and for these
        Index(  # who has a link is found by its token; also forbids that two threads have the same
            *("agent_thread_by_share", "share"),
            unique=True,
            sqlite_where=text("share IS NOT NULL"),
            postgresql_where=text("share IS NOT NULL"),
        ),
        Index(  # they stand first in the list
            *("agent_thread_pinned", "updated_at"),
            sqlite_where=text("pinned = 1"),
            postgresql_where=text("pinned"),
        ),
    )
    id: str = Field(primary_key=True)
    agent: str
    title: str | None = None
    user_id: str | None = Field(default=None, index=True)
    status: str = "completed"
    seq: int = 0
    cursor: int = 0
    trimmed: int = 0
    turn_cursor: int = 0
    attempt: int = 0
    crashes: int = 0
    steps: int = 0
    position: int = 0
    message_id: str | None = None
    stop_signal: bool = False
    error: str | None = Field(default=None, sa_column=Column(Text))
    error_kind: str | None = None
    retry_state: str | None = Field(default=None, sa_column=Column(Text))
    pinned: bool = False
    archived: bool = False
    meta: str = _json("{}")
    created_at: float
    updated_at: float
    delete_at: float | None = None
    share: str | None = None
    error_info: str | None = Field(default=None, sa_column=Column(Text))


class MessageRow(Table, table=True):
    """One message. A person's parts stand here; an assistant's stand in its streams.

    branch     0 in the branch that is shown; else the number under which it was put aside
    parent_id  the message before it; those that share one are alternatives of each other
    """

    __tablename__: ClassVar[Any] = "agent_message"
    # The order of a thread; also forbids that two senders take the same place in one branch.
    __table_args__: ClassVar[Any] = (
        Index("agent_message_by_position", "thread_id", "branch", "position", unique=True),
        Index("agent_message_by_id", "id"),  # an id that is sent to another thread is refused
        _CLUSTERED,
    )
    thread_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    position: int
    role: str
    parts: str = _json("[]")
    meta: str = _json("{}")
    queued: bool = False
    created_at: float
    parent_id: str | None = None
    branch: int = _count()


class StreamRow(Table, table=True):
    """The durable record of one attempt at one model step, keyed by its fence.

    status    streaming -> committed | partial;  partial -> superseded | committed
    """

    __tablename__: ClassVar[Any] = "agent_stream"
    __table_args__: ClassVar[Any] = (
        Index("agent_stream_by_message", "thread_id", "message_id"),
        _CLUSTERED,
    )
    thread_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    message_id: str
    status: str = "streaming"
    worker: str
    attempt: int = 1
    parts: str = _json("[]")
    usage: str | None = Field(default=None, sa_column=Column(Text))
    error: str | None = Field(default=None, sa_column=Column(Text))
    started_at: float
    ended_at: float | None = None
    end_reason: str | None = None
    error_info: str | None = Field(default=None, sa_column=Column(Text))


class DeltaRow(Table, table=True):
    """One flush of chunks. Appended, never grown; trimmed when no reader needs it any more."""

    __tablename__: ClassVar[Any] = "agent_delta"
    __table_args__: ClassVar[Any] = _CLUSTERED
    thread_id: str = Field(primary_key=True)
    cursor: int = Field(primary_key=True)  # unique: two writers cannot both append at one place
    seq: int = 0
    message_id: str | None = None
    chunks: str = _json("[]")
    created_at: float


class ToolCallRow(Table, table=True):
    """A tool call on its way to exactly one outcome; `attempt` is its fence.

    status    approval -> pending | denied;  pending -> running -> waiting | succeeded | failed
    progress  what it last reported while it ran
    attempts  the attempts before the newest, as a list: attempt, worker, started_at, ended_at, error,
              end_reason, error_info
    """

    __tablename__: ClassVar[Any] = "agent_tool_call"
    __table_args__: ClassVar[Any] = (
        Index("agent_tool_call_by_id", "id"),  # add_tool_result without a thread_id
        _index("agent_tool_call_open", ["thread_id", "seq", "position"], _OPEN),  # fan-in, and the reconciler
        Index("agent_tool_call_by_message", "thread_id", "message_id"),
        _CLUSTERED,
    )
    thread_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    seq: int
    position: int
    message_id: str
    name: str
    status: str
    attempt: int = 0
    worker: str | None = None
    input: str = _json("{}")
    output: str | None = Field(default=None, sa_column=Column(Text))
    error: str | None = Field(default=None, sa_column=Column(Text))
    approval: str | None = Field(default=None, sa_column=Column(Text))
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    progress: str | None = Field(default=None, sa_column=Column(Text))
    attempts: str | None = Field(default=None, sa_column=Column(Text))
    end_reason: str | None = None
    error_info: str | None = Field(default=None, sa_column=Column(Text))


class WakeUpRow(Table, table=True):
    """An APScheduler job row: the persistent wake-up, and the lease of whoever works on it.

    next_run_time    when it is due; a lease pushes it forward, so a dead worker's comes due again
    thread_id        whose turn it is when many wait; of a schedule's wake-up the schedule's id, so
                     that it outlives a stop of its thread
    worker           who holds the lease; none while it is only due later
    company          it ran in a process that died: how many suspects may run in one process with it
                     from now on, itself included; none: it is no suspect
    crashes          deaths as the only suspect that ran
    death            the worker in whose death it was last
    idle_deaths      deaths as the only suspect while it merely waited, since the last of `crashes`
    kind, call_id    with thread_id the parts of the id; see WakeUpKey. A kind that is missing was written by
                     a version before 0013 and is filled in by the next round of the reconciler
    """

    __tablename__: ClassVar[Any] = "agent_wake_up"
    __table_args__: ClassVar[Any] = (
        _index("agent_wake_up_suspect", ["company"], "company IS NOT NULL"),
        Index(
            "agent_wake_up_of_work", "thread_id", "kind", "call_id"
        ),  # the reconciler looks for what has none
        _index("agent_wake_up_unnamed", ["id"], "kind IS NULL"),  # and for these
    )
    id: str = Field(primary_key=True)  # unique: one live wake-up per key; WakeUpKey as text
    next_run_time: float | None = Field(default=None, sa_column=Column(Float, index=True))
    job_state: str = _json("{}")
    thread_id: str
    worker: str | None = Field(default=None, index=True)
    company: int | None = None
    crashes: int = _count()
    death: str | None = None
    idle_deaths: int = _count()
    kind: str | None = None
    call_id: str | None = None


class ScheduleRow(Table, table=True):
    """A prompt that is sent by itself, once or again and again; its wake-up is `schedule:<id>`.

    thread_id      where it is sent; none: each run has a thread of its own
    agent          of the threads that it makes
    trigger        cron, interval or date, as JSON
    missed_policy  run_once | skip: what becomes of runs that nobody was there for
    next_at        when it comes due next, and the fence of the run; none once it is over
    last_at        when the newest run was due, or was asked for
    missed         runs that nobody was there for
    paused         it keeps its place and runs nothing
    error          why it is over before its time
    """

    __tablename__: ClassVar[Any] = "agent_schedule"
    __table_args__: ClassVar[Any] = (_index("agent_schedule_due", ["next_at"], "next_at IS NOT NULL"),)
    id: str = Field(primary_key=True)
    thread_id: str | None = Field(default=None, index=True)
    agent: str
    user_id: str | None = Field(default=None, index=True)
    title: str | None = None
    parts: str = _json("[]")
    trigger: str = _json("{}")
    missed_policy: str = "run_once"
    max_runs: int | None = None
    next_at: float | None = None
    last_at: float | None = None
    last_thread_id: str | None = None
    runs: int = _count()
    missed: int = _count()
    paused: bool = False
    error: str | None = Field(default=None, sa_column=Column(Text))
    meta: str = _json("{}")
    created_at: float
    error_info: str | None = Field(default=None, sa_column=Column(Text))


class FileRow(Table, table=True):
    """The bytes of a file, once for each who has it.

    thread_id  its holder: a thread; "schedule:" and a schedule's id; while it waits for its message, for a
               day at the most, ":" and the name of who has sent it, "" for who has none
    id         SHA-256 of the bytes: the same file twice is one row
    """

    __tablename__: ClassVar[Any] = "agent_file"
    __table_args__: ClassVar[Any] = (
        _index("agent_file_waiting", ["created_at"], "thread_id = ''"),
        _index("agent_file_unsent", ["created_at"], "substr(thread_id, 1, 1) = ':'"),
        Index("agent_file_by_id", "id"),  # who has a file that a person wants to attach
    )
    thread_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    media_type: str
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: float


class RefusedFileRow(Table, table=True):
    """A file that a model refused: later requests to it carry a sentence in the file's place.

    file_id  as in `agent_file`; of a file that stands in its URL, the SHA-256 of the URL
    words    the provider's
    """

    __tablename__: ClassVar[Any] = "agent_refused_file"
    thread_id: str = Field(primary_key=True)
    file_id: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    words: str = Field(sa_column=Column(Text, nullable=False))
    created_at: float


class WindowRow(Table, table=True):
    """The window of a model as its provider named it when it refused a request; see `agent_core.context`.

    tokens  that a request may have, by our count, room for the answer left
    """

    __tablename__: ClassVar[Any] = "agent_window"
    model: str = Field(primary_key=True)
    tokens: int
    learned_at: float


class PersonRow(Table, table=True):
    """What the application notes of a person; "" is whoever calls without a name."""

    __tablename__: ClassVar[Any] = "agent_person"
    id: str = Field(primary_key=True)
    meta: str = _json("{}")
    updated_at: float


metadata = ThreadRow.metadata
