"""Warn of code that blocks the event loop, with its stack.

One `time.sleep` or slow query in an async handler stops every stream, tool and page of its process. A thread
calls back on the loop and logs the loop's stack if no callback runs. Leases are kept meanwhile: heartbeats go
from the scheduler's thread to the writer's and need no loop, so no other process takes over the work.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable

from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_FRAMES = 8  # innermost frames of the stack that are logged


class EventLoopWatchdog:
    """Watches the event loop on which it is created, inside a `with` block.

    It warns after `limit` seconds without a callback; `describe` returns a description of a task by its name.
    """

    def __init__(self, limit: float, describe: Callable[[str], str]) -> None:
        self._limit = limit
        self._describe = describe
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._closed = threading.Event()

    def __enter__(self) -> EventLoopWatchdog:
        """Start the thread."""
        threading.Thread(target=self._watch, name="agent_core-stalls", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the thread."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._limit / 2):
            answer = threading.Event()
            began = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(answer.set)
            except RuntimeError:  # the loop has closed
                return
            # The second wait is for a process that was suspended as a whole: both threads resume at once.
            if answer.wait(self._limit) or answer.wait(self._limit / 10) or self._closed.is_set():
                continue
            self._warn(time.monotonic() - began)
            while not answer.wait(self._limit):
                if self._closed.is_set():
                    return
            _log.warning("The event loop runs again, after %.1f s.", time.monotonic() - began)

    def _warn(self, seconds: float) -> None:
        task = asyncio.current_task(self._loop)
        frame = sys._current_frames().get(self._loop_thread)  # pyright: ignore[reportPrivateUsage]
        stack = "".join(traceback.format_stack(frame)[-_FRAMES:]) if frame else "(not available)"
        _log.warning(
            "The event loop has been blocked for %.1f s by %s; everything else in this process waits. Await "
            "slow calls, or define the handler with def instead of async def, so that it runs in a thread. "
            "Stack:\n%s",
            seconds,
            self._describe(task.get_name()) if task else "a callback",
            stack,
        )
