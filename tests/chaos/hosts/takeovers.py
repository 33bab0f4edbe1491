"""Measure takeovers: the time from a worker's death until other workers hold its leases."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

import psycopg

from tests.tools.postgresql import PostgreSQL

_HELD = "select id from agent_wake_up where worker like %s and kind in ('step', 'tool')"
_HOLDERS = "select distinct worker from agent_wake_up where worker is not null"
_LEFT = "select id, worker from agent_wake_up where id = any(%s)"
_INTERVAL = 0.05  # seconds between reads
_PATIENCE = 60.0  # seconds


class Takeover(NamedTuple):
    """The seconds from a death until the first of its leases had another holder, and until all had."""

    leases: int
    first: float
    last: float


@dataclass
class Takeovers:
    """Takeovers of one run.

    Args:
        server: the server.
        name: name of the database.
    """

    server: PostgreSQL
    name: str
    found: list[Takeover] = field(default_factory=list[Takeover])

    def busy(self) -> set[int]:
        """Return the process ids of the workers that hold leases; blocks."""
        with self.server.connect(self.name) as connection:
            return {int(str(name).partition("-")[0]) for (name,) in connection.execute(_HOLDERS)}

    def watch(self, pid: int, died_at: float) -> None:
        """Wait until others hold the leases of the worker with this process id, which died; blocks."""
        with contextlib.suppress(psycopg.Error), self.server.connect(self.name) as connection:
            left = {key for (key,) in connection.execute(_HELD, [f"{pid}-%"])}
            leases, first, last = len(left), 0.0, 0.0
            while left and time.monotonic() < died_at + _PATIENCE:
                rows = connection.execute(_LEFT, [list(left)]).fetchall()
                still = {key for key, holder in rows if holder is None or _is_of(holder, pid)}
                if still < left:
                    last = time.monotonic() - died_at
                    first = first or last
                left = left & still
                time.sleep(_INTERVAL)
            if leases and not left:
                self.found.append(Takeover(leases, first, last))

    def table(self) -> str:
        """Return the figures as text."""
        if not self.found:
            return "takeovers: none"
        firsts, lasts = [each.first for each in self.found], [each.last for each in self.found]
        return (
            f"takeovers {len(self.found)}  leases {sum(each.leases for each in self.found)}"
            f"  first: median {median(firsts):.1f} s, longest {max(firsts):.1f} s"
            f"  last: median {median(lasts):.1f} s, longest {max(lasts):.1f} s"
        )


def _is_of(holder: object, pid: int) -> bool:
    return str(holder).startswith(f"{pid}-")
