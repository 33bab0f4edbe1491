"""Define the tables of threads: their messages, streams, deltas, tool calls and files."""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import Column, Index, Integer, LargeBinary, Text, text
from sqlmodel import AutoString, Field

from agent_core.store.database.tables.base import CLUSTERED, Table, count, json_text, open_index

# In the words and the order of the statements that use these indexes.
_RUNNING = "status = 'awaiting_tool_results' OR status = 'streaming'"
_OPEN = "status = 'approval' OR status = 'pending' OR status = 'running' OR status = 'waiting'"


class ThreadRow(Table, table=True):
    """An ordered conversation: its state, and the fence of its model step.

    status          streaming <-> awaiting_tool_results -> completed | failed | stopped -> streaming
    seq             the fence: grows with each claim of a model step and with each stop
    cursor          number of the newest delta row
    trimmed_cursor  deltas up to this cursor may be deleted; the column is `trimmed`
    turn_cursor     where the current turn began; the deltas of the turn before it are kept
    attempt         failed attempts at the current model step
    crashes         of versions before 0007; see WakeUpRow
    steps           model steps committed in the current turn
    reply_position  position of the current turn's reply; the column is `position`
    reply_id        id of the current turn's reply; the column is `message_id`
    share           the token with which anybody may read the thread; null: it is not shared
    delete_at       when the thread, which is in the bin, is deleted; null: it is not in the bin
    usage_seq       the usage of streams up to this seq is counted in agent_usage
    search_cursor   the text up to this cursor is indexed in agent_search
    turn_started_at when the current turn, or its resumption, began; null: with a version before 0023
    trace           the trace context of who began it; see `TurnStart`
    turn_options    what its caller asks for, as JSON; see `TurnOptions`
    """

    __tablename__: ClassVar[Any] = "agent_thread"
    __table_args__: ClassVar[Any] = (
        Index("agent_thread_by_activity", "updated_at"),  # the thread list
        open_index("agent_thread_running", ["status"], _RUNNING),  # the reconciler looks for these
        open_index("agent_thread_in_bin", ["delete_at"], "delete_at IS NOT NULL"),  # and for these
        Index(  # finds a thread by its token; also forbids that two threads have the same
            *("agent_thread_by_share", "share"),
            unique=True,
            sqlite_where=text("share IS NOT NULL"),
            postgresql_where=text("share IS NOT NULL"),
        ),
        open_index("agent_thread_uncounted", ["id"], "usage_seq < seq"),  # and for these
        open_index("agent_thread_unindexed", ["id"], "search_cursor < cursor"),  # and for these
        open_index(  # the newest failures, and their number by agent and kind
            "agent_thread_failed", ["updated_at", "agent", "error_kind"], "status = 'failed'"
        ),
        Index(  # pinned threads are first in the list
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
    trimmed_cursor: int = Field(
        default=0, sa_column=Column("trimmed", Integer, key="trimmed_cursor", nullable=False)
    )
    turn_cursor: int = 0
    attempt: int = 0
    crashes: int = 0
    steps: int = 0
    reply_position: int = Field(
        default=0, sa_column=Column("position", Integer, key="reply_position", nullable=False)
    )
    reply_id: str | None = Field(default=None, sa_column=Column("message_id", AutoString, key="reply_id"))
    stop_signal: bool = False
    error: str | None = Field(default=None, sa_column=Column(Text))
    error_kind: str | None = None
    retry_state: str | None = Field(default=None, sa_column=Column(Text))
    pinned: bool = False
    archived: bool = False
    meta: str = json_text("{}")
    created_at: float
    updated_at: float
    delete_at: float | None = None
    share: str | None = None
    error_info: str | None = Field(default=None, sa_column=Column(Text))
    usage_seq: int = count()
    search_cursor: int = count(-1)
    turn_started_at: float | None = None
    trace: str | None = None
    turn_options: str | None = Field(default=None, sa_column=Column(Text))


class MessageRow(Table, table=True):
    """A message. The row has a person's parts; an assistant's are in its streams.

    branch     0 on the shown path; else the number of the branch that was put aside
    parent_id  the message before it; messages with the same parent are alternatives of each other
    """

    __tablename__: ClassVar[Any] = "agent_message"
    # The order of a thread; also forbids that two messages have the same position in one branch.
    __table_args__: ClassVar[Any] = (
        Index("agent_message_by_position", "thread_id", "branch", "position", unique=True),
        Index("agent_message_by_id", "id"),  # finds an id that is sent to two threads
        CLUSTERED,
    )
    thread_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    position: int
    role: str
    parts: str = json_text("[]")
    meta: str = json_text("{}")
    queued: bool = False
    created_at: float
    parent_id: str | None = None
    branch: int = count()


class StreamRow(Table, table=True):
    """The record of one attempt at one model step, keyed by its fence.

    status       streaming -> committed | partial;  partial -> superseded | committed
    fingerprint  of the agent that ran it; see `Agent.fingerprint`. Null: it ended before its agent was made, its
                 process died, or it is of a version before 0017
    pause        the `retry_state` of the pause after which it was admitted
    """

    __tablename__: ClassVar[Any] = "agent_stream"
    __table_args__: ClassVar[Any] = (
        Index("agent_stream_by_message", "thread_id", "message_id"),
        CLUSTERED,
    )
    thread_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    message_id: str
    status: str = "streaming"
    worker: str
    attempt: int = 1
    parts: str = json_text("[]")
    usage: str | None = Field(default=None, sa_column=Column(Text))
    error: str | None = Field(default=None, sa_column=Column(Text))
    started_at: float
    ended_at: float | None = None
    end_reason: str | None = None
    error_info: str | None = Field(default=None, sa_column=Column(Text))
    fingerprint: str | None = None
    pause: str | None = Field(default=None, sa_column=Column(Text))


class DeltaRow(Table, table=True):
    """The chunks of one flush; never changed, and deleted when no reader needs it."""

    __tablename__: ClassVar[Any] = "agent_delta"
    __table_args__: ClassVar[Any] = CLUSTERED
    thread_id: str = Field(primary_key=True)
    cursor: int = Field(primary_key=True)  # unique: two writers cannot append at the same cursor
    seq: int = 0
    message_id: str | None = None
    chunks: str = json_text("[]")
    created_at: float


class ToolCallRow(Table, table=True):
    """A tool call, which gets exactly one outcome; `attempt` is its fence.

    status    approval -> pending | denied;  pending -> running -> waiting | succeeded | failed
    progress  its newest progress report
    attempts  the attempts before the newest, as a JSON list: attempt, worker, started_at, ended_at, error,
              end_reason, error_info
    """

    __tablename__: ClassVar[Any] = "agent_tool_call"
    __table_args__: ClassVar[Any] = (
        Index("agent_tool_call_by_id", "id"),  # add_tool_result without a thread_id
        open_index(
            "agent_tool_call_open", ["thread_id", "seq", "position"], _OPEN
        ),  # fan-in, and the reconciler
        Index("agent_tool_call_by_message", "thread_id", "message_id"),
        CLUSTERED,
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
    input: str = json_text("{}")
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


class FileRow(Table, table=True):
    """The bytes of a file, once for each holder.

    thread_id  the holder: a thread; "schedule:" and a schedule's id; before its message is sent, for at most a
               day, ":" and the sender's name, or "" for a sender without a name
    id         SHA-256 of the bytes, so that the same file is one row
    converted  what models get instead of the bytes; empty if the file cannot be converted, null if it was not
               tried; see `agent_core.text.conversion`
    """

    __tablename__: ClassVar[Any] = "agent_file"
    __table_args__: ClassVar[Any] = (
        open_index("agent_file_waiting", ["created_at"], "thread_id = ''"),
        open_index("agent_file_unsent", ["created_at"], "substr(thread_id, 1, 1) = ':'"),
        Index("agent_file_by_id", "id"),  # the holders of a file that a person wants to attach
    )
    thread_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    media_type: str
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: float
    converted: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


class RefusedFileRow(Table, table=True):
    """A file that a model refused, and that later requests to the model replace by a sentence.

    file_id  as in `agent_file`; for a file that is not stored, the SHA-256 of its URL
    words    the provider's error
    """

    __tablename__: ClassVar[Any] = "agent_refused_file"
    thread_id: str = Field(primary_key=True)
    file_id: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    words: str = Field(sa_column=Column(Text, nullable=False))
    created_at: float


class WindowRow(Table, table=True):
    """The context window of a model, learned from a refusal of its provider; see `agent_core.context`.

    tokens  of a request, by our count, with room for the answer
    """

    __tablename__: ClassVar[Any] = "agent_window"
    model: str = Field(primary_key=True)
    tokens: int
    learned_at: float


class PersonRow(Table, table=True):
    """The preferences of a person; the id "" is for callers without a name."""

    __tablename__: ClassVar[Any] = "agent_person"
    id: str = Field(primary_key=True)
    meta: str = json_text("{}")
    updated_at: float
