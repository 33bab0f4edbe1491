"""Describe what belongs to everybody, for those who run the application: the results of `api.admin`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent_core.domain.usage import Tally
from agent_core.support.plain_json import JsonValue


@dataclass(frozen=True, slots=True)
class WorkerReport(JsonValue):
    """A worker, and what it runs.

    Attributes:
        name: the process, as `Runtime.store.process` names it.
        host: the name of its machine.
        started_at, seen_at: when it began to work, and its last heartbeat.
        lives: whether its last heartbeat is not longer ago than a lease.
        max_steps: number of model steps that it runs at once.
        max_tools: number of tools that it runs at once; None: they share the places of the steps.
        steps, tools: number of leases that it holds of model steps and of tool calls.
        agents: names of the agents that it knows.
        engine: class of the distributed engine that delivers its work; None: the built-in scheduler does.
    """

    name: str
    host: str
    started_at: datetime
    seen_at: datetime
    lives: bool
    max_steps: int
    max_tools: int | None
    steps: int
    tools: int
    agents: tuple[str, ...]
    engine: str | None


@dataclass(frozen=True, slots=True)
class QueueReport(JsonValue):
    """The wake-ups of a kind.

    Attributes:
        kind: "step", "tool", "timeout", "schedule" or "outbox".
        running: number of those that a worker has leased.
        due: number of those that are due, and that no worker has leased.
        oldest_wait: seconds that the oldest of these has waited.
        waiting: number of those that come due later: retries, pauses, timeouts and schedules.
    """

    kind: str
    running: int
    due: int
    oldest_wait: float
    waiting: int


@dataclass(frozen=True, slots=True)
class WaitingStep(JsonValue):
    """A thread whose next model step begins later.

    Attributes:
        thread_id, title, user_id, agent: of the thread.
        next_at: when it is looked at again; far in the future if it waits for a budget to be raised.
        retry_state: why it waits, as in `Thread.retry_state`; None if that is not known.
    """

    thread_id: str
    title: str | None
    user_id: str | None
    agent: str
    next_at: datetime
    retry_state: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class WorkReport(JsonValue):
    """The work of a database at one moment.

    Attributes:
        at: the moment, by the clock that leases use.
        workers: ordered by host and name.
        queues: one for each kind of which there are wake-ups, ordered by kind.
        waiting: the steps that begin next, at most as many as were asked for.
        approvals: number of tool calls that wait for an approval.
        answers: number of tool calls that wait for their result from outside.
        threads: number of threads by status, for the statuses of running threads.
    """

    at: datetime
    workers: Sequence[WorkerReport]
    queues: Sequence[QueueReport]
    waiting: Sequence[WaitingStep]
    approvals: int
    answers: int
    threads: dict[str, int]


@dataclass(frozen=True, slots=True)
class FailedThread(JsonValue):
    """A thread whose newest turn has failed.

    Attributes:
        thread_id, title, user_id, agent: of the thread.
        seq: its fencing token: a retry names it, so that a thread that went on meanwhile is left alone.
        error, error_kind, error_info: why it failed, as in `Thread`.
        failed_at: when.
    """

    thread_id: str
    title: str | None
    user_id: str | None
    agent: str
    seq: int
    error: str
    error_kind: str
    error_info: dict[str, Any] | None
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class FailureCount(JsonValue):
    """The number of failed threads of an agent with an error of a kind."""

    agent: str
    error_kind: str
    threads: int


@dataclass(frozen=True, slots=True)
class FailureReport(JsonValue):
    """The failed threads of a database at one moment.

    Attributes:
        at: the moment; `retry_all_failed` takes it, so that it retries no failure that was not counted here.
        counts: their numbers by agent and kind of the error, most first.
        threads: those that were asked for, newest failure first.
    """

    at: datetime
    counts: Sequence[FailureCount]
    threads: Sequence[FailedThread]


@dataclass(frozen=True, slots=True)
class PeopleUsage(JsonValue):
    """What everybody has used since a moment.

    Attributes:
        total: the usage of all threads, deleted ones included.
        by_user: that of those who have cost most, by user, most expensive first; "" for threads without a user.
    """

    total: Tally
    by_user: dict[str, Tally]


@dataclass(frozen=True, slots=True)
class StoredKind(JsonValue):
    """What the rows of a kind take.

    Attributes:
        kind: "threads", "messages", "steps", "tool_calls", "files", "search", "usage", "schedules",
            "outbox", a kind of the application's own tables, or "other".
        rows: number of rows; on PostgreSQL an estimate of its statistics.
        size: bytes of the rows and of their indexes; None if the database cannot tell.
    """

    kind: str
    rows: int
    size: int | None


@dataclass(frozen=True, slots=True)
class Expiry(JsonValue):
    """What the retention of an agent deletes.

    Attributes:
        agent: the agent.
        keep: seconds for which its threads are kept without activity; None: they are not deleted.
        due: number of threads that are deleted now, with the next rounds of the workers.
        soon: number of threads that are deleted within the next seven days unless they are used, those above included.
    """

    agent: str
    keep: float | None
    due: int
    soon: int


@dataclass(frozen=True, slots=True)
class StorageReport(JsonValue):
    """What a database takes, and what is deleted next.

    Attributes:
        size: bytes of the database.
        free: bytes in it that deleted rows have left, and that new rows use; None if it is not known.
        wal: bytes of the write-ahead log beside it; None if the server has it.
        kinds: ordered by size.
        expiries: ordered by agent, for the agents that this process knows.
        in_bin: number of threads that were deleted with a time to undo that.
    """

    size: int
    free: int | None
    wal: int | None
    kinds: Sequence[StoredKind]
    expiries: Sequence[Expiry]
    in_bin: int
