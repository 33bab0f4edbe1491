"""Describe the current work on a thread: leases, waiting wake-ups, and what is committed.

The timeline is the history; this is a snapshot of the rows at one moment, so every process reads the
same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent_core.support.plain_json import JsonValue


@dataclass(frozen=True, slots=True)
class Lease(JsonValue):
    """Lease of a wake-up that a worker is running.

    Attributes:
        key: of the wake-up, such as "step:thread_1" or "tool:thread_1:call_1".
        worker: the process that holds the lease, as `Runtime.worker` names it.
        heartbeat_at: when the worker took the lease or last renewed it.
        expires_at: when other workers may take the wake-up unless the lease is renewed.
    """

    key: str
    worker: str
    heartbeat_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Durability(JsonValue):
    """Snapshot of one thread's work: its status, its fence, and the leases of its work.

    Attributes:
        status: a `ThreadStatus`.
        seq: the fencing token: the newest model step that was started; writes with an older one have no effect.
        committed_seq: the newest model step that is committed; 0 if none is. Later steps would be
            requested again if every process ended now.
        cursor: the newest delta.
        leases: leases of running work, ordered by key.
        waiting: number of wake-ups without a lease: for a retry, a timeout or a free worker.
        next_at: when the first of these wake-ups comes due; None if there are none.
        worker: the process that took the snapshot.
    """

    thread_id: str
    status: str
    seq: int
    committed_seq: int
    cursor: int
    leases: tuple[Lease, ...] = ()
    waiting: int = 0
    next_at: datetime | None = None
    worker: str = ""
