"""Stalls: code that blocks the event loop, noticed while it does, and named.

One `time.sleep` or slow query in an async handler stops every stream, tool and page of its process.
A thread of its own asks the loop for a sign of life and says where it stands when none comes. The
leases are kept meanwhile: heartbeats go from the scheduler's thread through the writer's and need
no loop, so nobody elsewhere takes over what is only slow.
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
_FRAMES = 8  # the innermost of the stack; they say where it stands


class StallWatch:
    """Watches the event loop on which it is made, inside a `with` block.

    Args:
        limit: seconds without a sign of life after which it is told of, more than 0.
        describe: says in words what the task with this name is doing, as far as that is known.
    """

    def __init__(self, limit: float, describe: Callable[[str], str]) -> None:
        self._limit = limit
        self._describe = describe
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._closed = threading.Event()

    def __enter__(self) -> StallWatch:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="agent_core-stalls", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._limit / 2):
            sign = threading.Event()
            began = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(sign.set)
            except RuntimeError:  # the loop has closed
                return
            # The second wait is for a process that was stopped as a whole: both threads wake at once.
            if sign.wait(self._limit) or sign.wait(self._limit / 10) or self._closed.is_set():
                continue
            self._tell(time.monotonic() - began)
            while not sign.wait(self._limit):
                if self._closed.is_set():
                    return
            _log.warning("The event loop answers again, after %.1f s.", time.monotonic() - began)

    def _tell(self, seconds: float) -> None:
        task = asyncio.current_task(self._loop)
        frame = sys._current_frames().get(self._loop_thread)  # pyright: ignore[reportPrivateUsage]
        stack = "".join(traceback.format_stack(frame)[-_FRAMES:]) if frame else "(it cannot be seen)"
        _log.warning(
            "The event loop has not answered for %.1f s: %s blocks it, and everything in this process waits. "
            "Await what takes long there, or write the handler with def instead of async def, so that it "
            "runs in a thread of its own. It stands at:\n%s",
            seconds,
            self._describe(task.get_name()) if task else "a callback",
            stack,
        )
