"""Describe the current work on a thread: leases, waiting wake-ups, and what is committed.

The timeline is the history; the activity is a snapshot of the rows at one moment, so every process reads the
same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Lease:
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

    def to_dict(self) -> dict[str, Any]:
        """Return the lease as plain JSON, moments as ISO 8601 strings."""
        moments = {"heartbeat_at": self.heartbeat_at, "expires_at": self.expires_at}
        return {"key": self.key, "worker": self.worker} | _iso(moments)


@dataclass(frozen=True, slots=True)
class Durability:
    """Activity of one thread: its status, its fence, and the leases of its work.

    Attributes:
        thread_id: the thread.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the activity as plain JSON, moments as ISO 8601 strings."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return (
            plain | {"leases": [lease.to_dict() for lease in self.leases]} | _iso({"next_at": self.next_at})
        )


def _iso(moments: Mapping[str, datetime | None]) -> dict[str, str | None]:
    return {name: None if moment is None else moment.isoformat() for name, moment in moments.items()}
