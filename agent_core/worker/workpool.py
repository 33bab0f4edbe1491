"""Where steps and tools execute: limited in number, fair between threads."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Any

from agent_core.domain.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.errors import DatabaseError, ValidationError
from agent_core.support.argument_checks import check_arguments
from agent_core.support.logs import get_logger

Handler = Callable[[WakeUpKey], Awaitable[None]]
STANDSTILL_TIMEOUT = 30.0
"""Seconds after which a workpool that is full and in which nothing begins is told of."""

_log = get_logger(__name__)


class Workpool:
    """Runs work by key, at most `max_parallelism` at once.

    What waits is taken in turn from each thread, so fifty tool calls of one thread do not make
    another thread's only one wait for all of them. A key that is submitted again while it runs is
    run once more when it has ended: submitting is a wake-up, and handlers are idempotent.

    Args:
        max_parallelism: how many steps or tools run at once, from 1.

    Raises:
        ValidationError: `max_parallelism` is below 1.
    """

    def __init__(self, max_parallelism: int = 64) -> None:
        check_arguments(Workpool.__init__, (), {"max_parallelism": max_parallelism}, who="Workpool")
        if max_parallelism < 1:
            raise ValidationError("max_parallelism must be at least 1.")
        self.max_parallelism = max_parallelism
        self.engine: Any = None  # what delivers the work from elsewhere; see `agent_core.worker.bridge`
        self._waiting: OrderedDict[str, deque[tuple[WakeUpKey, Handler, float]]] = OrderedDict()
        self._running: dict[WakeUpKey, asyncio.Task[None]] = {}
        self._known: set[WakeUpKey] = set()  # waiting, or running and to be run again
        self._watched: dict[WakeUpKey, asyncio.Event] = {}  # keys that somebody waits for the end of
        self._open = True
        self._moved = time.monotonic()  # when something last began
        self._told = 0.0  # of which standstill has been told

    def another(self) -> Workpool:
        """Return a workpool of the same size and with the same engine."""
        pool = Workpool(self.max_parallelism)
        pool.engine = self.engine
        return pool

    def open(self) -> None:
        """Take work (again, where an earlier runtime has closed this workpool)."""
        self._open = True

    def submit(self, key: WakeUpKey, handler: Handler) -> None:
        """Run `handler(key)` as soon as there is room; call it on the event loop."""
        if key in self._known or not self._open:
            return
        self._known.add(key)
        if key not in self._running:
            self._wait(key, handler)
            self._fill()

    def _wait(self, key: WakeUpKey, handler: Handler) -> None:
        self._waiting.setdefault(key.thread_id, deque()).append((key, handler, time.monotonic()))

    @property
    def free(self) -> int:
        """How many more could run now."""
        return max(0, self.max_parallelism - len(self._running) - len(self._waiting))

    def holds(self, key: WakeUpKey) -> bool:
        """Whether the key waits or runs here."""
        return key in self._known or key in self._running

    async def until_ended(self, key: WakeUpKey) -> None:
        """Wait until the key neither waits nor runs here."""
        while self.holds(key):
            await self._watched.setdefault(key, asyncio.Event()).wait()

    def _tell(self, key: WakeUpKey) -> None:
        if (watched := self._watched.pop(key, None)) is not None:
            watched.set()

    def running(self) -> list[WakeUpKey]:
        """Return the keys of what runs now."""
        return list(self._running)

    def waiting(self) -> list[tuple[WakeUpKey, float]]:
        """Return (key, seconds so far) of what waits for a place here."""
        now = time.monotonic()
        return [(key, now - since) for keys in list(self._waiting.values()) for key, _, since in list(keys)]

    def complain(self) -> None:
        """Warn once of a standstill: no place, something that waits, and nothing that begins."""
        still = time.monotonic() - self._moved
        if still < STANDSTILL_TIMEOUT or self._told == self._moved or not self._waiting or self.free:
            return
        self._told = self._moved
        _log.warning(
            "Nothing has begun for %.0f s and %s wait, because all %s places are taken by %s. If what runs "
            "there waits for one that waits here (a tool for another thread, in a pool that both share), "
            "none will end: give tools a workpool of their own, or this one more places.",
            still,
            len(self.waiting()),
            self.max_parallelism,
            ", ".join(map(str, self.running()[:5])),
        )

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return bool(self._running)

    def end(self, key: WakeUpKey) -> None:
        """Cancel what runs under `key`; if it was submitted again meanwhile it still runs again."""
        if key in self._running:
            self._running[key].cancel()

    def cancel(self, thread_id: str) -> None:
        """Cancel what runs for a thread and forget what waits for it."""
        for key, *_ in self._waiting.pop(thread_id, ()):
            self._known.discard(key)
            self._tell(key)
        for key, task in list(self._running.items()):
            if key.thread_id == thread_id:
                self._known.discard(key)
                task.cancel()

    async def close(self, grace: float, at_once: WakeUpKind) -> None:
        """Take nothing new and end what runs.

        Args:
            grace: seconds that running work gets to end by itself before it is cancelled.
            at_once: work of this kind is cancelled at once; it gives itself back.
        """
        self._open = False
        self._waiting.clear()
        self._known.clear()
        tasks = list(self._running.values())
        for key, task in list(self._running.items()):
            if key.kind == at_once:
                task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self.max_parallelism:
            thread_id, keys = next(iter(self._waiting.items()))
            key, handler, _ = keys.popleft()
            if keys:
                self._waiting.move_to_end(thread_id)
            else:
                del self._waiting[thread_id]
            self._known.discard(key)
            self._moved = time.monotonic()
            self._running[key] = task = asyncio.create_task(_run(key, handler), name=str(key))
            # Not in the task itself: one that is cancelled before it began never enters its code.
            task.add_done_callback(functools.partial(self._ended, key, handler))

    def _ended(self, key: WakeUpKey, handler: Handler, _task: asyncio.Task[None]) -> None:
        del self._running[key]
        if key in self._known:  # submitted again meanwhile
            self._wait(key, handler)
        self._tell(key)
        self._fill()


async def _run(key: WakeUpKey, handler: Handler) -> None:
    try:
        await handler(key)
    except asyncio.CancelledError:
        _log.debug("%s was cancelled", key)
    # Either way the wake-up stays leased; the reconciler finds that nobody works on it.
    except DatabaseError as error:
        _log.error("%s waits: %s", key, error)
    except Exception:
        _log.exception("%s failed outside of everything that is expected to fail", key)
