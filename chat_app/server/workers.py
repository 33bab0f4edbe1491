"""Web processes of the server, which are started again when they die."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from typing import Any

from granian.server import Server

_log = logging.getLogger(__name__)

MAX_DEATHS = 10
"""Number of deaths of web processes within `DEATHS_PERIOD` that ends the server."""
DEATHS_PERIOD = 60.0  # seconds
STOP_TIMEOUT = 2  # seconds until the other web processes are killed when too many have died


class RespawningServer(Server):  # pyright: ignore[reportGeneralTypeIssues]  -- which class depends on the GIL
    """Granian's server, which starts a web process again when it dies, until too many die in a short time.

    Granian's own limit ends the server when a process dies twice within 5.5 seconds. A message that kills its
    process does so several times before its step is sealed (decision 0013).
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        # With Python 3.14's default, Granian spawns them: without what `processes` sets up for forks, and beside a tracker.
        if sys.platform == "linux":
            multiprocessing.set_start_method("fork", force=True)
        super().__init__(*args, **options, respawn_failed_workers=True)
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Stop, at the first SIGTERM or SIGINT; at another one pass SIGINT on, at which the workers end at once.

        Granian sends them SIGTERM at the first and then waits for them. At Ctrl+C in a terminal they get both
        SIGINTs from the kernel, too; a service manager or a script signals this process alone.
        """
        if self.interrupt_signal:
            for worker in self.wrks:
                if worker.is_alive():
                    os.kill(worker.inner.pid, signal.SIGINT)
        super().signal_handler_interrupt(*args, **kwargs)

    def _respawn_workers(
        self, workers: list[int], spawn_target: Any, target_loader: Any, delay: float = 0
    ) -> None:
        """Start dead processes again, or living ones after `delay` seconds, at a reload."""
        if not delay:
            self._deaths.extend(time.monotonic() for _ in workers)
            if len(self._deaths) == MAX_DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_PERIOD:
                _log.error(
                    "Web processes died %d times within %d seconds; exiting", MAX_DEATHS, DEATHS_PERIOD
                )
                self.respawn_failed_workers, self.interrupt_children = False, workers
                self.workers_kill_timeout = STOP_TIMEOUT  # one that has just been forked misses SIGTERM
                self.main_loop_interrupt.set()
                return
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        self.respawned_wrks.clear()  # which Granian's own limit reads
