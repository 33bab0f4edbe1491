"""How a thread is held at this moment: who works on it, and what a sudden end could not take away.

The timeline tells what was; this tells what would happen now. It is a picture of rows, so that every
process sees the same one, and a moment old as soon as it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Lease:
    """A wake-up that somebody works on.

    Attributes:
        key: of the wake-up, such as "step:thread_1" or "tool:thread_1:call_1".
        worker: the process that holds it, as `Runtime.worker` names it.
        heartbeat_at: when it took the lease or last gave a sign of life.
        expires_at: when it comes due for others if no further sign comes.
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
    """How one thread is held.

    Attributes:
        thread_id: the thread.
        status: the thread's.
        seq: the fence: the newest model step that was begun; a write that names an older one misses.
        committed_seq: the newest model step that is committed whole; 0 if none is. What is later
            than that would be asked for again if every process ended now.
        cursor: the newest delta.
        leases: what is worked on, in the order of the keys.
        waiting: wake-ups that nobody works on: for a retry, a timeout or a free worker.
        next_at: when the first of those comes due; None if there are none.
        worker: the process that answered.
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
        """Return the value as plain JSON, moments as ISO 8601 strings."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return (
            plain | {"leases": [lease.to_dict() for lease in self.leases]} | _iso({"next_at": self.next_at})
        )


def _iso(moments: Mapping[str, datetime | None]) -> dict[str, str | None]:
    return {name: None if moment is None else moment.isoformat() for name, moment in moments.items()}
