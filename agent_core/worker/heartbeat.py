"""Extend the leases of this worker, in a thread that waits for nothing else.

A duty that waits for a read, or for a connection, must not let the leases of running work expire.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from agent_core.errors import AgentCoreError
from agent_core.store.database.transaction import Tx
from agent_core.store.store import Store
from agent_core.store.wake_ups import workers
from agent_core.store.wake_ups.workers import WorkerInfo
from agent_core.support.logs import get_logger
from agent_core.worker.spread import Spread

_MAX_GAP = 2  # heartbeats; after a longer gap the database was away, and perhaps for other workers, too
_log = get_logger(__name__)


class Heartbeat:
    """The heartbeat of one worker."""

    def __init__(self, store: Store, spread: Spread) -> None:
        self._store = store
        self._spread = spread
        self._interval = store.settings.heartbeat
        self._announced: Sequence[str] = ()  # the agents
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._main, name="agent_core-heartbeat", daemon=True)
        self._last = self._regular_since = time.monotonic()

    def start(self) -> None:
        """Start the thread."""
        self._last = self._regular_since = time.monotonic()
        self._thread.start()

    def close(self) -> None:
        """Let the thread end after its current heartbeat; does not wait for it."""
        self._closing.set()

    @property
    def age(self) -> float:
        """Seconds since the leases were extended last."""
        return time.monotonic() - self._last

    @property
    def is_regular(self) -> bool:
        """Whether all workers that live have had the time to extend their leases.

        After an outage of the database the leases of all workers have expired, and each finds those of the others
        first. This worker has been in touch with the database for two heartbeats, so the others have, too.
        """
        now, most = time.monotonic(), _MAX_GAP * self._interval
        return now - self._last <= most <= now - self._regular_since

    def beat(self) -> None:
        """Extend this worker's leases, and announce that it takes work, or no longer does; blocks."""
        info, writer = self._spread.info, self._store.writer
        self._announced = info.agents
        try:
            writer.run_blocking(self._extend, info)
        except (AgentCoreError, TimeoutError) as error:
            if not writer.closed:
                _log.warning("The leases were not extended; retry in %g s: %s", self._interval, error)
            return
        now = time.monotonic()
        if now - self._last > _MAX_GAP * self._interval:
            self._regular_since = now
        self._last = now

    def announce(self) -> None:
        """Announce new agents at once, so that the other workers share work with this one; blocks."""
        if self._spread.info.agents != self._announced:
            self.beat()

    def _main(self) -> None:
        while not self._closing.is_set():
            self.beat()
            self._closing.wait(self._interval)

    def _extend(self, tx: Tx, info: WorkerInfo) -> int:
        if self._spread.is_leaving:
            workers.forget(tx, info.name)
        elif not self._closing.is_set():  # the worker has perhaps released its leases already
            workers.announce(tx, info)
        return self._store.wake_ups.extend(tx)
