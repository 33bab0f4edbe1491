"""Define the tables. The database is the source of truth; everything else is a view of it.

JSON is stored as text: it is written once and read whole, the same way on every database. Times are seconds since
the epoch. `error_info` has the text, code and params of an `error` that is a sentence, as JSON; see
`columns.load_info`. There are no foreign keys between the tables of a thread: every row has its thread_id and is
deleted by it, in one transaction.
"""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Float, Identity, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import registry
from sqlmodel import AutoString, Field, SQLModel


class Table(SQLModel, registry=registry()):
    """Base of the tables, with metadata apart from the application's SQLModels."""

    __table_args__: ClassVar[Any] = ()


_CLUSTERED = {"sqlite_with_rowid": False}  # rows are stored in the primary key's tree: half the size


def _json(default: str) -> Any:
    return Field(default=default, sa_column=Column(Text, nullable=False, server_default=default))


def _count(default: int = 0) -> Any:
    return Field(default=default, sa_column=Column(Integer, nullable=False, server_default=str(default)))


def _sum() -> Any:
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


def _index(name: str, columns: list[str], where: str) -> Index:
    """Build an index over the few rows of a long table that are still open."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


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
    """

    __tablename__: ClassVar[Any] = "agent_thread"
    __table_args__: ClassVar[Any] = (
        Index("agent_thread_by_activity", "updated_at"),  # the thread list
        _index("agent_thread_running", ["status"], _RUNNING),  # the reconciler looks for these
        _index("agent_thread_in_bin", ["delete_at"], "delete_at IS NOT NULL"),  # and for these
        Index(  # finds a thread by its token; also forbids that two threads have the same
            *("agent_thread_by_share", "share"),
            unique=True,
            sqlite_where=text("share IS NOT NULL"),
            postgresql_where=text("share IS NOT NULL"),
        ),
        _index("agent_thread_uncounted", ["id"], "usage_seq < seq"),  # and for these
        _index("agent_thread_unindexed", ["id"], "search_cursor < cursor"),  # and for these
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
    meta: str = _json("{}")
    created_at: float
    updated_at: float
    delete_at: float | None = None
    share: str | None = None
    error_info: str | None = Field(default=None, sa_column=Column(Text))
    usage_seq: int = _count()
    search_cursor: int = _count(-1)


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
    """The record of one attempt at one model step, keyed by its fence.

    status       streaming -> committed | partial;  partial -> superseded | committed
    fingerprint  of the agent that ran it; see `Agent.fingerprint`. Null: it ended before its agent was made, its
                 process died, or it is of a version before 0017
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
    fingerprint: str | None = None


class DeltaRow(Table, table=True):
    """The chunks of one flush; never changed, and deleted when no reader needs it."""

    __tablename__: ClassVar[Any] = "agent_delta"
    __table_args__: ClassVar[Any] = _CLUSTERED
    thread_id: str = Field(primary_key=True)
    cursor: int = Field(primary_key=True)  # unique: two writers cannot append at the same cursor
    seq: int = 0
    message_id: str | None = None
    chunks: str = _json("[]")
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
    """A wake-up, which is an APScheduler job row, and the lease of the worker that runs it.

    next_run_time  when it is due; a lease moves it into the future, so a dead worker's comes due again
    thread_id      the thread; a schedule's wake-up has the schedule's id, so that it outlives a stop of its thread
    worker         the holder of the lease; null: it is free
    company        for a suspect, which ran in a process that died: the number of suspects, itself included, that
                   may run in one process; null: it is not suspect
    crashes        number of deaths in which it was the only suspect that ran
    death          the worker that died last with it
    idle_deaths    number of deaths, since the last of `crashes`, in which it was the only suspect and only waited
    kind, call_id  with thread_id the parts of the id; see WakeUpKey. Versions before 0013 leave them null, and
                   the reconciler fills them in
    user_id        the person of the thread; null: nobody's, so the thread counts as a person of its own
    scheduled      whether it begins a turn that a schedule has sent; people's messages pass it
    """

    __tablename__: ClassVar[Any] = "agent_wake_up"
    __table_args__: ClassVar[Any] = (
        _index("agent_wake_up_suspect", ["company"], "company IS NOT NULL"),
        # The reconciler looks for work without a wake-up.
        Index("agent_wake_up_of_work", "thread_id", "kind", "call_id"),
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
    user_id: str | None = None
    scheduled: bool | None = None


class ScheduleRow(Table, table=True):
    """A prompt that is sent at given times; its wake-up is `schedule:<id>`.

    thread_id      the thread to which it is sent; null: each run creates a thread
    agent          the agent of the threads that it creates
    trigger        cron, interval or date, as JSON
    missed_policy  run_once | skip: what happens after runs that were missed because no worker ran
    next_at        the time of the next run, and its fence; null: the schedule is over
    last_at        when the newest run was due, or was requested
    missed         number of missed runs
    paused         whether it runs nothing
    error          why it ended early, or waits
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
    """The bytes of a file, once for each holder.

    thread_id  the holder: a thread; "schedule:" and a schedule's id; before its message is sent, for at most a
               day, ":" and the sender's name, or "" for a sender without a name
    id         SHA-256 of the bytes, so that the same file is one row
    """

    __tablename__: ClassVar[Any] = "agent_file"
    __table_args__: ClassVar[Any] = (
        _index("agent_file_waiting", ["created_at"], "thread_id = ''"),
        _index("agent_file_unsent", ["created_at"], "substr(thread_id, 1, 1) = ':'"),
        Index("agent_file_by_id", "id"),  # the holders of a file that a person wants to attach
    )
    thread_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    media_type: str
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: float


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


class SearchRow(Table, table=True):
    """The index entry of a thread; see `store.threads.search_index`.

    id     the rowid of the entry in FTS5's table `agent_search_fts`, on SQLite
    grams  on PostgreSQL the hashes of the grams, with a GIN index; on SQLite the words that they are made of,
           compressed. Migration 0016 makes what only one of the databases has
    """

    __tablename__: ClassVar[Any] = "agent_search"
    __table_args__: ClassVar[Any] = (
        Index("agent_search_by_thread", "thread_id", unique=True),  # an entry for each thread
    )
    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(), primary_key=True))
    thread_id: str
    grams: Any = Field(sa_column=Column(ARRAY(Integer).with_variant(LargeBinary(), "sqlite"), nullable=False))


class UsageRow(Table, table=True):
    """The total usage of requests that are counted; see `store.threads.usage_totals`.

    period    when the requests began: a quarter of an hour, by its first second
    user_id   "" for threads without a user
    requests, metered, …  as in `domain.usage.Tally`
    """

    __tablename__: ClassVar[Any] = "agent_usage"
    __table_args__: ClassVar[Any] = _CLUSTERED
    period: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    model: str = Field(primary_key=True)
    agent: str = Field(primary_key=True)
    user_id: str = Field(primary_key=True)
    requests: int = _sum()
    metered: int = _sum()
    input_tokens: int = _sum()
    output_tokens: int = _sum()
    total_tokens: int = _sum()
    cached_tokens: int = _sum()
    reasoning_tokens: int = _sum()
    cache_write_tokens: int = _sum()
    cost: float | None = None


class PersonRow(Table, table=True):
    """The preferences of a person; the id "" is for callers without a name."""

    __tablename__: ClassVar[Any] = "agent_person"
    id: str = Field(primary_key=True)
    meta: str = _json("{}")
    updated_at: float


class LimitRow(Table, table=True):
    """The limit of the requests to a model; see `agent_core.domain.limits`.

    blocked_until  the moment until which its provider has asked to wait
    """

    __tablename__: ClassVar[Any] = "agent_limit"
    model: str = Field(primary_key=True)
    requests_per_minute: int | None = Field(default=None, sa_column=Column(BigInteger))
    tokens_per_minute: int | None = Field(default=None, sa_column=Column(BigInteger))
    concurrency: int | None = Field(default=None, sa_column=Column(BigInteger))
    blocked_until: float | None = None


class BudgetRow(Table, table=True):
    """A budget, by what it is for.

    kind    user | agent | thread
    name    its name or id; "" is for users without a name, "*" for each one without a budget of its own
    period  turn | day | month
    """

    __tablename__: ClassVar[Any] = "agent_budget"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    usd: float | None = None
    tokens: int | None = Field(default=None, sa_column=Column(BigInteger))


class CounterRow(Table, table=True):
    """What ended steps have used in the newest window of a period; only for scopes with a limit or a budget.

    kind        as in `agent_budget`, or model, whose period is minute; that of a turn is its thread
    window_key  the beginning of the window, or the id of the turn's reply; see `domain.limits.window_of`
    """

    __tablename__: ClassVar[Any] = "agent_counter"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    window_key: str
    requests: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    tokens: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    usd: float = Field(default=0.0, sa_column=Column(Float, nullable=False, server_default="0"))


class AdmissionRow(Table, table=True):
    """A model step that was weighed against limits and budgets; a negative seq is that of a title.

    status        paused -> running -> ended; an ended one is deleted when the counters include it
    tokens, usd   what the step has used, or while it runs an estimate
    since         when it was first weighed
    wait_kind, wait_name  while it is paused: the scope that it waits for
    awaits_room   whether it waits for running steps
    """

    __tablename__: ClassVar[Any] = "agent_admission"
    __table_args__: ClassVar[Any] = (
        Index("agent_admission_by_status", "status", "since"),  # few rows: one for each step under way
        _CLUSTERED,
    )
    thread_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    status: str
    model: str
    user_id: str
    agent: str
    reply_id: str
    worker: str
    tokens: int = Field(sa_column=Column(BigInteger, nullable=False))
    usd: float | None = None
    since: float
    wait_kind: str | None = None
    wait_name: str | None = None
    awaits_room: bool = False


class WorkerRow(Table, table=True):
    """A worker that lives; its row is deleted when it closes, or when another worker finds it dead.

    seen_at  its last heartbeat; it counts as dead when that is longer ago than a lease
    steps    number of model steps that it runs at once
    tools    number of tools that it runs at once; null: they share the places of the steps
    agents   names of the agents that it knows, sorted, as a JSON list
    """

    __tablename__: ClassVar[Any] = "agent_worker"
    name: str = Field(primary_key=True)
    host: str
    started_at: float
    seen_at: float
    steps: int
    tools: int | None = None
    agents: str = _json("[]")


metadata = ThreadRow.metadata
