"""Run steps and tools with limited parallelism, fairly between threads."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.errors import DatabaseError, ValidationError
from agent_core.store.wake_ups.due_work import DueWork
from agent_core.store.wake_ups.wake_ups import Defer
from agent_core.support.argument_checks import check_arguments, known_options
from agent_core.support.logs import get_logger
from agent_core.worker.fair_queue import FairQueue

Handler = Callable[[WakeUpKey], Awaitable[None]]
STANDSTILL_TIMEOUT = 30.0
"""Seconds after which a full workpool that starts nothing is reported."""

_DELIVERY_PARALLELISM = 16  # threads whose events are delivered at once
_OTHER_PARALLELISM = 16  # of timeouts and schedules, each of which is one short transaction
_EXPECTED_TIMEOUT = 30.0  # seconds; the transaction that was to lease a key has failed then
_MAX_USERS = 10_000  # threads whose users are remembered; another one counts as a user of its own
_log = get_logger(__name__)


class _Waiting(NamedTuple):
    key: WakeUpKey
    person: str
    handler: Handler
    since: float  # seconds, monotonic


@known_options
class Workpool:
    """Runs work by key, at most `max_parallelism` at once.

    Waiting keys are taken from each person in turn, and of one person from each thread in turn, so that fifty
    tool calls of one thread do not delay the only one of another. A key that is submitted again while it runs is
    run once more afterwards: submitting is a wake-up, and handlers are idempotent.

    Args:
        max_parallelism: how many steps or tools run at once, from 1.
        max_per_user: how many threads of one user run at once, in all processes together, from 1; None: no limit.
            Read from the workpool of model steps. A thread without a user counts as a user of its own.

    Raises:
        ValidationError: `max_parallelism` or `max_per_user` is below 1.
    """

    def __init__(self, max_parallelism: int = 64, *, max_per_user: int | None = None) -> None:
        given = {"max_parallelism": max_parallelism, "max_per_user": max_per_user}
        check_arguments(Workpool.__init__, (), given, who="Workpool")
        for name, value in given.items():
            if value is not None and value < 1:
                raise ValidationError(f"{name} must be at least 1.")
        self.max_parallelism = max_parallelism
        self.max_per_user = max_per_user
        self.engine: Any = None  # the distributed engine that delivers work; see `agent_core.worker.bridge`
        self._waiting = FairQueue[_Waiting]()
        self._running: dict[WakeUpKey, asyncio.Task[None]] = {}
        self._known: set[WakeUpKey] = set()  # waiting, or running and to be run again
        self._watched: dict[WakeUpKey, asyncio.Event] = {}  # set when the key has ended; see `until_ended`
        self._open = True
        self._last_start = time.monotonic()
        self._reported = 0.0  # the `_last_start` of the standstill that was reported

    def open(self) -> None:
        """Accept work, also after an earlier runtime has closed this workpool."""
        self._open = True

    def submit(self, key: WakeUpKey, handler: Handler, user_id: str | None = None) -> None:
        """Run `handler(key)` as soon as there is room, as the work of a user. Call it on the event loop."""
        if key in self._known or not self._open:
            return
        person = user_id or key.thread_id
        if key in self._running:
            self._known.add(key)  # runs again when it has ended
        elif len(self._running) < self.max_parallelism:
            self._start(key, person, handler)
        else:
            self._wait(key, person, handler)

    def _wait(self, key: WakeUpKey, person: str, handler: Handler) -> None:
        self._known.add(key)
        self._waiting.put(person, key.thread_id, _Waiting(key, person, handler, time.monotonic()))

    @property
    def free(self) -> int:
        """Number of keys that could start now."""
        return max(0, self.max_parallelism - len(self._running) - len(self._waiting))

    def holds(self, key: WakeUpKey) -> bool:
        """Whether the key waits or runs here."""
        return key in self._known or key in self._running

    async def until_ended(self, key: WakeUpKey) -> None:
        """Wait until the key neither waits nor runs here."""
        while self.holds(key):
            await self._watched.setdefault(key, asyncio.Event()).wait()

    def _notify(self, key: WakeUpKey) -> None:
        if (watched := self._watched.pop(key, None)) is not None:
            watched.set()

    def running(self) -> list[WakeUpKey]:
        """Return the keys of what runs now."""
        return list(self._running)

    def waiting(self) -> list[tuple[WakeUpKey, float]]:
        """Return each waiting key with the seconds that it has waited."""
        now = time.monotonic()
        return [(each.key, now - each.since) for each in self._waiting]

    def warn_of_standstill(self, work_is_due: bool) -> None:
        """Warn, once, if the workpool is full, work waits and none has started for `STANDSTILL_TIMEOUT`.

        Args:
            work_is_due: whether work waits in the database for a slot here.
        """
        still = time.monotonic() - self._last_start
        is_reported = self._reported == self._last_start
        if still < STANDSTILL_TIMEOUT or is_reported or self.free or not (self._waiting or work_is_due):
            return
        self._reported = self._last_start
        _log.warning(
            "No work has started for %.0f s although work waits: all %s slots are taken by %s. If a running key waits "
            "for a waiting one (a tool for another thread, in a workpool that both share), this is a deadlock: give "
            "tools a workpool of their own, or raise max_parallelism.",
            still,
            self.max_parallelism,
            ", ".join(map(str, self.running()[:5])),
        )

    @property
    def busy(self) -> bool:
        """Whether any key runs."""
        return bool(self._running)

    def cancel_key(self, key: WakeUpKey) -> None:
        """Cancel a running key; it runs again if it was submitted again meanwhile."""
        if key in self._running:
            self._running[key].cancel()

    def cancel(self, thread_id: str) -> None:
        """Cancel the running keys of a thread and drop the waiting ones."""
        for waiting in self._waiting.remove(thread_id):
            self._known.discard(waiting.key)
            self._notify(waiting.key)
        for key, task in list(self._running.items()):
            if key.thread_id == thread_id:
                self._known.discard(key)
                task.cancel()

    def drain(self) -> list[WakeUpKey]:
        """Accept no more work; return the waiting keys, which will not run here."""
        self._open = False
        waiting = [key for key, _ in self.waiting()]
        self._waiting.clear()
        self._known.clear()
        for key in waiting:
            self._notify(key)
        return waiting

    async def until_idle(self, timeout: float) -> bool:
        """Wait until nothing runs, for at most `timeout` seconds; return whether that is so.

        Call it after `drain`.
        """
        if tasks := list(self._running.values()):
            await asyncio.wait(tasks, timeout=timeout)
        return not self._running

    async def close(self, grace: float, at_once: Container[WakeUpKind]) -> None:
        """Accept no more work and end running work.

        Args:
            grace: seconds that running work gets to end before it is cancelled.
            at_once: work of these kinds is cancelled at once; the runner of steps releases them.
        """
        self._open = False
        self._waiting.clear()
        self._known.clear()
        tasks = list(self._running.values())
        for key, task in list(self._running.items()):
            if key.kind in at_once:
                task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self.max_parallelism:
            key, person, handler, _since = self._waiting.pop()
            self._known.discard(key)
            self._start(key, person, handler)

    def _start(self, key: WakeUpKey, person: str, handler: Handler) -> None:
        self._last_start = time.monotonic()
        self._running[key] = task = asyncio.create_task(_run(key, handler), name=str(key))
        # Not in the task: if it is cancelled before it starts, its code never runs.
        task.add_done_callback(functools.partial(self._ended, key, person, handler))

    def _ended(self, key: WakeUpKey, person: str, handler: Handler, _task: asyncio.Task[None]) -> None:
        del self._running[key]
        if key in self._known:  # submitted again meanwhile
            self._wait(key, person, handler)
        self._notify(key)
        self._fill()


async def _run(key: WakeUpKey, handler: Handler) -> None:
    try:
        await handler(key)
    except asyncio.CancelledError:
        _log.debug("%s was cancelled.", key)
    # After an error the wake-up stays leased, and the reconciler submits it again.
    except DatabaseError as error:
        _log.error("%s was interrupted; the reconciler runs it again: %s", key, error)
    except Exception:
        _log.exception("Unexpected error in %s; the reconciler runs it again.", key)


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The work of one kind, and how long it waits.

    Attributes:
        running: number of keys that run in this process.
        waiting: number of keys that wait in this process for a slot.
        due: number of wake-ups that wait in the database for a process with room.
        oldest_wait: seconds that the oldest of the latter two has waited; 0.0 if none waits.
        max_parallelism: number of keys that may run at once in this process.
    """

    running: int
    waiting: int
    due: int
    oldest_wait: float
    max_parallelism: int

    @property
    def depth(self) -> int:
        """Number of keys that wait, in this process and in the database."""
        return self.waiting + self.due


class Workpools:
    """The workpools of a worker: for model steps, for tools, for timeouts and schedules, and for the outbox.

    Tools have a workpool of their own by default, of the same size and with the same engine: a tool that waits
    for another thread's answer would otherwise hold the slot that the answer needs.
    """

    def __init__(self, steps: Workpool | None, tools: Workpool | None) -> None:
        self.steps = steps or Workpool()
        self.tools = tools or Workpool(self.steps.max_parallelism)
        if tools is None:
            self.tools.engine = self.steps.engine
        self.others = Workpool(_OTHER_PARALLELISM)
        self.outbox = Workpool(_DELIVERY_PARALLELISM)
        self.delivers = False
        """Whether this process delivers events."""
        self._by_kind = {
            WakeUpKind.STEP: self.steps,
            WakeUpKind.TOOL: self.tools,
            WakeUpKind.OUTBOX: self.outbox,
        }
        # Leased in another thread, and not yet submitted on the event loop; with the moment, in monotonic seconds.
        self._expected: dict[WakeUpKey, float] = {}
        self._user_of: OrderedDict[str, str] = OrderedDict()  # by thread, of those with recent work

    def __iter__(self) -> Iterator[Workpool]:
        """Iterate over the workpools, each once."""
        return iter({self.steps, self.tools, self.others, self.outbox})

    def of(self, key: WakeUpKey) -> Workpool:
        """Return the workpool of a key."""
        return self._by_kind.get(key.kind, self.others)

    def defer_for(self, key: WakeUpKey) -> Defer | None:
        """Return the `defer` of the engine that delivers `key`; None if the scheduler does."""
        engine = self.of(key).engine
        return None if engine is None else engine.defer

    def prepare(self) -> None:
        """Let every engine prepare the database; blocks."""
        for engine in {id(pool.engine): pool.engine for pool in self if pool.engine is not None}.values():
            engine.prepare()

    def room(self) -> dict[str, int]:
        """Return the number of keys that could start now, by kind; kinds without room are left out."""
        found = {"other": self.others}
        if self.steps is self.tools:
            found["work"] = self.steps
        else:
            found |= {"step": self.steps, "tool": self.tools}
        if self.delivers:
            found["outbox"] = self.outbox
        return {kind: free for kind, pool in found.items() if (free := self._room_of(pool)) > 0}

    def room_for(self, key: WakeUpKey) -> int:
        """Return the number of keys that could start now in the workpool of a key."""
        return self._room_of(self.of(key))

    def _room_of(self, pool: Workpool) -> int:
        latest = time.monotonic() - _EXPECTED_TIMEOUT
        return pool.free - sum(
            at > latest and self.of(key) is pool for key, at in list(self._expected.items())
        )

    @property
    def is_short_of_room(self) -> bool:
        """Whether one of the workpools of steps, tools and deliveries is full."""
        return 0 in (self.steps.free, self.tools.free, self.outbox.free)

    @property
    def busy(self) -> bool:
        """Whether a step or tool runs, or is expected."""
        return self.steps.busy or self.tools.busy or bool(self._expected)

    def expect(self, keys: Sequence[WakeUpKey]) -> None:
        """Reserve room for leased keys until they are submitted; call it from any thread."""
        self._expected.update(dict.fromkeys(keys, time.monotonic()))

    def forget(self, key: WakeUpKey) -> None:
        """Give up the room that was reserved for a key; call it from any thread."""
        self._expected.pop(key, None)

    def note_user(self, thread_id: str, user_id: str | None) -> None:
        """Remember whose work that of a thread is; call it from any thread."""
        if user_id is not None:
            self._user_of[thread_id] = user_id
            while len(self._user_of) > _MAX_USERS:
                self._user_of.popitem(last=False)

    def submit(self, key: WakeUpKey, handler: Handler) -> None:
        """Run `handler(key)` as soon as there is room. Call it on the event loop."""
        self.of(key).submit(key, handler, self._user_of.get(key.thread_id))
        self.forget(key)

    def holds(self, key: WakeUpKey) -> bool:
        """Whether the key waits or runs here."""
        return self.of(key).holds(key)

    def cancel(self, thread_id: str) -> None:
        """Cancel the running keys of a thread and drop the waiting ones, but for the delivery of its events."""
        for pool in {self.steps, self.tools, self.others}:
            pool.cancel(thread_id)

    def threads(self) -> set[str]:
        """Return the ids of the threads with a running step or tool."""
        return {key.thread_id for pool in (self.steps, self.tools) for key in pool.running()}

    def warn_of_standstill(self, work_is_due: bool) -> None:
        """Warn of each workpool that is full and starts nothing; see `Workpool.warn_of_standstill`.

        The outbox's may be: a receiver that does not answer holds each of its places until the timeout.
        """
        for pool in {self.steps, self.tools, self.others}:
            pool.warn_of_standstill(work_is_due)

    def stats(self, due: Mapping[str | None, DueWork]) -> dict[str, QueueStats]:
        """Return the figures of steps and tools; `due` is the work in the database, by kind."""
        return {
            "steps": _stats(self.steps, WakeUpKind.STEP, due),
            "tools": _stats(self.tools, WakeUpKind.TOOL, due),
        }


def _stats(pool: Workpool, kind: WakeUpKind, due: Mapping[str | None, DueWork]) -> QueueStats:
    running = sum(key.kind == kind for key in pool.running())
    waits = [seconds for key, seconds in pool.waiting() if key.kind == kind]
    in_database = due.get(kind, DueWork(0, 0.0))
    oldest = max([*waits, in_database.oldest_wait])
    return QueueStats(running, len(waits), in_database.wake_ups, oldest, pool.max_parallelism)
