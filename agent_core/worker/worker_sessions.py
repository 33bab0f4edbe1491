"""Detect dead workers on other machines by their sessions of a PostgreSQL server.

A lease takes seconds to expire. The kernel closes the connections of a process that ends, and the server then ends
its sessions. A process that lives connects again within a second, so one that has no session for longer is dead.
A machine that loses its power, or its network, closes nothing: its workers are found by their leases.
See docs/decisions/0028-sessions-show-life.md.
"""

from __future__ import annotations

import time

from agent_core.store.store import Store
from agent_core.store.wake_ups import workers

_ABSENCE = (
    1.5  # seconds without a session after which a worker is dead; a lost connection is replaced within 1
)
_SETTLING_TIME = 2  # heartbeats for which this process must have been connected, so that the others are, too


class WorkerSessions:
    """The sessions of the other workers, as one worker sees them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settling_time = _SETTLING_TIME * store.settings.heartbeat
        self._present: set[str] = set()  # workers that had a session; those of older versions mark none
        self._absent_since: dict[str, float] = {}  # in seconds of the monotonic clock
        self._connected: set[str] = set()  # workers with a session at the last look

    def are_open(self, worker: str) -> bool:
        """Whether a worker had a session at the last look: no process has ended that the server knows of.

        It may be stopped, or its machine may have lost its power or its network.
        """
        return worker in self._connected

    def dead(self) -> list[str]:
        """Return the workers that had a session and have none any more; blocks.

        Raises:
            DatabaseError: the database refused.
        """
        self._connected = set()
        if self._store.path is not None:
            return []
        if (
            self._store.writer.uptime < self._settling_time
        ):  # the server was away: others are still connecting
            self._absent_since.clear()
            return []
        return self._look(self._store.reads.read(workers.presence))

    def _look(self, presence: dict[str, bool]) -> list[str]:
        if not presence.pop(self._store.process, True):
            self._absent_since.clear()  # the server was away, and this process has not noticed yet
            return []
        present = {name for name, is_present in presence.items() if is_present}
        self._connected = present
        self._present = (self._present & presence.keys()) | present
        absent, now = self._present - present, time.monotonic()
        self._absent_since = {name: self._absent_since.get(name, now) for name in absent}
        return [name for name, since in self._absent_since.items() if now - since >= _ABSENCE]
