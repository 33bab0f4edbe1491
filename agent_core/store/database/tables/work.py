"""Define the tables of work: wake-ups, schedules and the workers that live."""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import Boolean, Column, Float, Index, Text, false
from sqlmodel import Field

from agent_core.store.database.tables.base import Table, count, json_text, open_index


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
    deaths         number of deaths in a row with which it ran
    """

    __tablename__: ClassVar[Any] = "agent_wake_up"
    __table_args__: ClassVar[Any] = (
        open_index("agent_wake_up_suspect", ["company"], "company IS NOT NULL"),
        # The reconciler looks for work without a wake-up.
        Index("agent_wake_up_of_work", "thread_id", "kind", "call_id"),
        open_index("agent_wake_up_unnamed", ["id"], "kind IS NULL"),  # and for these
    )
    id: str = Field(primary_key=True)  # unique: one live wake-up per key; WakeUpKey as text
    next_run_time: float | None = Field(default=None, sa_column=Column(Float, index=True))
    job_state: str = json_text("{}")
    thread_id: str
    worker: str | None = Field(default=None, index=True)
    company: int | None = None
    crashes: int = count()
    death: str | None = None
    idle_deaths: int = count()
    kind: str | None = None
    call_id: str | None = None
    user_id: str | None = None
    scheduled: bool | None = None
    deaths: int = count()


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
    held           whether it is paused for as long as its owner may not use the application
    error          why it ended early, or waits
    """

    __tablename__: ClassVar[Any] = "agent_schedule"
    __table_args__: ClassVar[Any] = (open_index("agent_schedule_due", ["next_at"], "next_at IS NOT NULL"),)
    id: str = Field(primary_key=True)
    thread_id: str | None = Field(default=None, index=True)
    agent: str
    user_id: str | None = Field(default=None, index=True)
    title: str | None = None
    parts: str = json_text("[]")
    trigger: str = json_text("{}")
    missed_policy: str = "run_once"
    max_runs: int | None = None
    next_at: float | None = None
    last_at: float | None = None
    last_thread_id: str | None = None
    runs: int = count()
    missed: int = count()
    paused: bool = False
    error: str | None = Field(default=None, sa_column=Column(Text))
    meta: str = json_text("{}")
    created_at: float
    error_info: str | None = Field(default=None, sa_column=Column(Text))
    held: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))


class WorkerRow(Table, table=True):
    """A worker that lives; its row is deleted when it closes, or when another worker finds it dead.

    seen_at  its last heartbeat; it counts as dead when that is longer ago than a lease
    steps    number of model steps that it runs at once
    tools    number of tools that it runs at once; null: they share the places of the steps
    agents   names of the agents that it knows, sorted, as a JSON list
    engine   class of the distributed engine that delivers its work; null: none does, or of a version before 0025
    """

    __tablename__: ClassVar[Any] = "agent_worker"
    name: str = Field(primary_key=True)
    host: str
    started_at: float
    seen_at: float
    steps: int
    tools: int | None = None
    agents: str = json_text("[]")
    engine: str | None = None
