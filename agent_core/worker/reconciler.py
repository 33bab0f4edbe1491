"""The reconciler: a worker's regular duties, in the scheduler's thread.

It keeps this worker's leases, takes over from workers that died on this machine, and is the net under
all the paths that nobody thought of: running work without a wake-up, leases that nobody works on.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.errors import AgentCoreError
from agent_core.store.database.transaction import Tx
from agent_core.store.schedules.clock_rollback import after_set_back
from agent_core.store.store import Store
from agent_core.store.threads import deltas, files
from agent_core.store.turns import trash
from agent_core.support.logs import get_logger
from agent_core.worker.worker_locks import Presence

_UNSENT_FILE_LIFETIME = 86_400.0  # seconds that a file waits for its message
_MIN_CLOCK_ROLLBACK = 30.0  # seconds that a clock loses at once only if somebody sets it
R = TypeVar("R")
_log = get_logger(__name__)


class Reconciler:
    """Does the duties of one worker.

    Args:
        store: the store, open.
        presence: who is alive on this machine.
        holds: whether a key waits or runs in this process.
        deliver: hands a key to the workpools.
        notify: makes the scheduler look for due work.
    """

    def __init__(
        self,
        store: Store,
        presence: Presence,
        *,
        holds: Callable[[WakeUpKey], bool],
        deliver: Callable[[WakeUpKey], None],
        notify: Callable[[], None],
    ) -> None:
        self._writer = store.writer
        self._reads = store.reads
        self._wake_ups = store.wake_ups
        self._clock = store.clock
        self._presence = presence
        self._holds = holds
        self._deliver = deliver
        self._notify = notify
        self._ahead = self._clock.now() - time.monotonic()  # of the clock that nobody sets

    def heartbeat(self) -> None:
        """Push this worker's leases forward."""
        self._guarded(self._wake_ups.extend)

    def take_over(self) -> None:
        """Release what workers held that died on this machine, or whose leases have run out."""
        for worker in self._presence.dead():
            if self._presence.has_left(worker):
                buried = self._guarded(self._release, worker)
            else:
                buried = self._guarded(self._wake_ups.bury, worker, self._presence.executed(worker))
            if buried is not None:
                self._presence.forget(worker)
                self._tell(worker, *buried)
        for worker in self._reads.expired(self._clock.now()):
            if worker != self._wake_ups.process:  # its own the next heartbeat extends
                alive = self._presence.is_alive(worker)
                buried = self._guarded(functools.partial(self._wake_ups.expire, alive=alive), worker)
                self._tell(worker, *(buried or (0, 0)))

    def _release(self, tx: Tx, worker: str) -> tuple[int, int]:
        return self._wake_ups.release(tx, worker), 0

    def _tell(self, worker: str, released: int, ran: int) -> None:
        if released:
            self._notify()
            words = "Worker %s is gone; %d of its wake-ups are due again, of which %d ran and are suspect."
            _log.info(words, worker, released, ran)

    def reconcile(self) -> None:
        """Re-create what is missing, deliver what nobody works on, empty the bin."""
        self._mind_the_clock()
        self._guarded(self._wake_ups.missing)
        self._guarded(trash.empty)
        for key in self._guarded(self._wake_ups.mine) or []:
            if not self._holds(key):
                self._deliver(key)
        self._notify()

    def _mind_the_clock(self) -> None:
        """Bring nearer what would wait for a moment that has moved away, after the clock was set back."""
        ahead = self._clock.now() - time.monotonic()
        if ahead < self._ahead - _MIN_CLOCK_ROLLBACK:
            moved = self._guarded(after_set_back)
            if moved is None:
                return  # the next round tries again
            _log.warning(
                "The clock was set back by %.0f s; %d waits were shortened.", self._ahead - ahead, moved
            )
        self._ahead = ahead

    def tidy(self, keep: float) -> None:
        """Delete the deltas of threads that have been idle for `keep` seconds, and files that were never sent."""
        self._guarded(_tidy, keep)

    def _guarded(self, function: Callable[..., R], *args: Any) -> R | None:
        try:
            return self._writer.run_blocking(function, *args)
        except (AgentCoreError, TimeoutError) as error:
            if not self._writer.closed:
                _log.warning("The next round tries again: %s", error)
            return None


def _tidy(tx: Tx, keep: float) -> int:
    files.forget(tx, tx.now - _UNSENT_FILE_LIFETIME)
    return deltas.tidy(tx, tx.now - keep)
