"""Recover the work of dead workers and repair lost wake-ups, at regular intervals.

The duties run in the scheduler's thread. The last one is a safety net: running work should never lack a
wake-up, and no lease should be without its work.
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from agent_core.domain.events.run_events import WorkerLost
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.errors import AgentCoreError, DatabaseError
from agent_core.store.database.transaction import Tx
from agent_core.store.outbox import dead_letters, events
from agent_core.store.reads import search
from agent_core.store.schedules.schedules import after_clock_rollback
from agent_core.store.store import Store
from agent_core.store.threads import deltas, files, search_index, suspects, usage_totals
from agent_core.store.turns import retention, trash
from agent_core.store.wake_ups import due_work, workers
from agent_core.store.wake_ups.wake_ups import Released
from agent_core.support.logs import get_logger
from agent_core.worker.heartbeat import Heartbeat
from agent_core.worker.spread import Spread
from agent_core.worker.worker_locks import WorkerLocks
from agent_core.worker.worker_sessions import WorkerSessions

_UNSENT_FILE_LIFETIME = 86_400.0  # seconds for which a file may wait for its message
_CATCH_UP_TIME = 0.1  # seconds that a round may take from the other duties
_MIN_CLOCK_ROLLBACK = 30.0  # seconds; a smaller step back is drift
R = TypeVar("R")
_log = get_logger(__name__)


class Reconciler:
    """Runs the regular duties of one worker.

    `holds` says whether a key waits or runs in this process, `deliver` submits a key to the workpools, and
    `notify` lets the scheduler look for due work.
    """

    def __init__(
        self,
        store: Store,
        locks: WorkerLocks,
        spread: Spread,
        heartbeat: Heartbeat,
        sessions: WorkerSessions,
        *,
        holds: Callable[[WakeUpKey], bool],
        deliver: Callable[[WakeUpKey], None],
        notify: Callable[[], None],
    ) -> None:
        self._writer = store.writer
        self._reads = store.reads
        self._wake_ups = store.wake_ups
        self._clock = store.clock
        self._agents = store.agents
        self._delete_after = store.settings.delete_after
        self._locks = locks
        self._spread = spread
        self._heartbeat = heartbeat
        self._sessions = sessions
        self._lease = store.settings.lease
        self._holds = holds
        self._deliver = deliver
        self._notify = notify
        self._observers = store.observers
        self._offset = self._clock.now() - time.monotonic()

    def take_over(self) -> None:
        """Release the leases of workers that died, as their lock file, their sessions or their leases show."""
        self._heartbeat.announce()
        for worker in self._locks.dead():
            if self._locks.has_left(worker):
                released = self._guarded(self._release, worker)
            else:
                released = self._guarded(self._wake_ups.bury, worker, self._locks.executed(worker))
            if released is not None:
                self._locks.forget(worker)
                self._report(worker, released)
        for worker in self._attempt(self._sessions.dead) or []:
            if not self._locks.is_alive(worker):
                self._report(worker, self._guarded(self._wake_ups.bury_absent, worker))
        if self._heartbeat.is_regular:
            self._take_expired()

    def _take_expired(self) -> None:
        for worker in self._read(due_work.expired, self._clock.now()) or []:
            if worker != self._wake_ups.process:  # the next heartbeat extends this worker's own
                alive = self._locks.is_alive(worker) or self._sessions.are_open(worker)
                expire = functools.partial(self._wake_ups.expire, alive=alive)
                self._report(worker, self._guarded(expire, worker))

    def _release(self, tx: Tx, worker: str) -> Released:
        suspects.testify(tx, worker, lambda _: False)
        return Released(self._wake_ups.release(tx, worker), 0)

    def _report(self, worker: str, released: Released | None) -> None:
        if released is not None and released.wake_ups:
            self._notify()
            self._observers.publish(WorkerLost(worker, *released))
            words = "Worker %s is gone; %d of its wake-ups are due again, of which %d ran and are suspect."
            _log.info(words, worker, *released)

    def reconcile(self) -> None:
        """Create missing wake-ups, submit leased work that does not run here, and empty the bin."""
        self._check_clock()
        self._guarded(self._wake_ups.missing)
        self._guarded(trash.empty)
        for key in self._guarded(self._wake_ups.mine) or []:
            if not self._holds(key):
                self._deliver(key)
        with contextlib.suppress(DatabaseError):  # the next round looks again
            self._spread.look()
        self._notify()

    def _check_clock(self) -> None:
        """Shorten waits if the clock was set back."""
        offset = self._clock.now() - time.monotonic()
        if offset < self._offset - _MIN_CLOCK_ROLLBACK:
            moved = self._guarded(after_clock_rollback)
            if moved is None:
                return  # the next round retries
            rollback = self._offset - offset
            _log.warning("The clock was set back by %.0f s; %d waits were shortened.", rollback, moved)
        self._offset = offset

    def catch_up(self) -> None:
        """Count usage and index text of idle threads, until the round's time is over; the next one continues."""
        deadline = time.monotonic() + _CATCH_UP_TIME
        while self._guarded(usage_totals.count_idle) and time.monotonic() < deadline:
            pass
        if not self._read(search_index.is_available):
            return
        waiting = self._read(search_index.unindexed, self._clock.now()) or []
        random.shuffle(waiting)  # so that workers begin with different ones
        while waiting and time.monotonic() < deadline:
            thread_id = waiting.pop()
            found = self._read(search.text_of_thread, thread_id)
            if found is not None:
                self._guarded(search_index.put, thread_id, *found)

    def delete_expired(self) -> None:
        """Delete threads that have been idle for too long, until the round's time is over.

        Only threads of agents that this process knows: another agent may keep its threads for longer.
        """
        deadline = time.monotonic() + _CATCH_UP_TIME
        for name, agent in list(self._agents.items()):
            own = getattr(agent, "delete_after", None)
            keep = self._delete_after if own is None else own
            while keep is not None and keep < math.inf and time.monotonic() < deadline:
                if not self._guarded(retention.delete_expired, name, keep):
                    break

    def tidy(self, keep: float) -> None:
        """Delete deltas of threads that have been idle for `keep` seconds, unsent files, and dead workers' rows."""
        self._guarded(_tidy, keep, self._lease)

    def _guarded(self, function: Callable[..., R], *args: Any) -> R | None:
        return self._attempt(self._writer.run_blocking, function, *args)

    def _read(self, function: Callable[..., R], *args: Any) -> R | None:
        return self._attempt(self._reads.read, function, *args)

    def _attempt(self, run: Callable[..., R], *args: Any) -> R | None:
        """Return `run(*args)`; log a failure of the database, unless the store is closing."""
        try:
            return run(*args)
        except (AgentCoreError, TimeoutError) as error:
            if not self._writer.closed:
                name = _name_of(args[0] if args else run)
                _log.warning("The duty %s failed; the next round retries: %s", name, error)
            return None


def _name_of(function: Callable[..., object]) -> str:
    inner: Any = function.func if isinstance(function, functools.partial) else function
    return inner.__name__.strip("_")


def _tidy(tx: Tx, keep: float, lease: float) -> int:
    workers.tidy(tx, lease)
    files.forget(tx, tx.now - _UNSENT_FILE_LIFETIME)
    search_index.remove_orphans(tx)
    events.repair(tx)
    dead_letters.expire(tx)
    return deltas.tidy(tx, tx.now - keep)
