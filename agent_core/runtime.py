"""The runtime: one process's share in the work, from opening the database to giving work back."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Engine

from agent_core.agent import AnyAgent
from agent_core.bridge import Deliveries
from agent_core.checks import check_arguments, check_has, shown
from agent_core.clock import Clock, SystemClock
from agent_core.config import Settings
from agent_core.errors import DatabaseError, ValidationError
from agent_core.feeds import Feeds
from agent_core.fences import FenceWatch
from agent_core.ids import new_id
from agent_core.logs import get_logger
from agent_core.pools import Pools, QueueStats
from agent_core.presence import Presence, workers_folder
from agent_core.reconciler import Reconciler
from agent_core.runner.hooks import Hooks, call_hook
from agent_core.runner.schedules import ScheduleRunner
from agent_core.runner.steps import Runner
from agent_core.runner.tool_calls import ToolRunner
from agent_core.runner.turn import Turns
from agent_core.scheduler import Scheduler
from agent_core.stalls import StallWatch
from agent_core.store import queue_reads
from agent_core.store.engine import opened, parse_url
from agent_core.store.migrate import migrate
from agent_core.store.reads import Reads
from agent_core.store.rows import WORK_FEED
from agent_core.store.wake_ups import LeasedWakeUps
from agent_core.store.writer import Writer
from agent_core.suspects import Admission
from agent_core.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.workpool import Workpool

_log = get_logger(__name__)
_CLEANUP_INTERVAL = 60.0  # seconds between looks for deltas that no reader needs any more
_SHUTDOWN_TIMEOUT = 5.0  # seconds that running tools get to end by themselves when the process is asked to


class Runtime:
    """Opens the database, takes over what dead processes left, and works until it is closed.

    An async context manager; use it on one event loop::

        async with Runtime("sqlite:///data/agents.db") as runtime: ...

    Args:
        database_url: sqlite:///path, whose folder is made, or postgresql://user@host/name, which exists.
        workpool: where model steps run.
        tool_workpool: where tools run; by default one of their own, as large as `workpool`.
        settings: durations; the defaults suit everybody but tests.
        clock: the time.
        work: False: serve and send, but leave the work to other processes.

    Raises:
        ValidationError: the URL is not usable.
        DatabaseError: (on entering) the database is locked, read-only, corrupt or too new.
    """

    def __init__(
        self,
        database_url: str = "sqlite:///data/agents.db",
        workpool: Workpool | None = None,
        tool_workpool: Workpool | None = None,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        work: bool = True,
    ) -> None:
        given = {key: value for key, value in locals().items() if key != "self"}
        check_arguments(Runtime.__init__, (), given, who="Runtime")
        if clock is not None:
            check_has(clock, "now", "clock of Runtime must be a Clock")
        parse_url(database_url)
        self.database_url = database_url
        self.settings = settings or Settings()
        self.clock = clock or SystemClock()
        self.worker = f"{os.getpid()}-{new_id('w')[-10:].lower()}"
        self._pools = Pools(workpool, tool_workpool)
        self.workpool, self.tool_workpool = self._pools.steps, self._pools.tools
        self._deliveries = Deliveries(self._take_up, self._pools)
        self.agents: dict[str, AnyAgent] = {}
        self.status_hooks: dict[str, list[Any]] = {}
        self.feeds = Feeds(lambda thread_id, cursor: self.reads.updates(thread_id, cursor))
        self._work = work
        self._stack = contextlib.ExitStack()
        self._hooks = Hooks()
        self._is_open = False

    @property
    def writer(self) -> Writer:
        """The store's writing side."""
        if not self._is_open:
            raise ValidationError("The runtime is not open; use it inside `async with runtime:`.")
        return self._writer

    @property
    def reads(self) -> Reads:
        """The store's reading side."""
        if not self._is_open:
            raise ValidationError("The runtime is not open; use it inside `async with runtime:`.")
        return self._reads

    async def queue(self) -> dict[str, QueueStats]:
        """Return how much work there is and how long it waits, for "steps" and for "tools".

        Cheap: a look at this process's workpools and one short read.
        """
        due = await asyncio.to_thread(queue_reads.due, self.reads, self.clock.now())
        return self._pools.stats(due)

    def register(
        self, agent: AnyAgent, on_status_change: Callable[..., Any] | None = None, *, replace: bool = False
    ) -> None:
        """Make an agent known, so that its threads can run here.

        Args:
            agent: an `Agent`, or what `Agent.factory` returned. The same one may be given again.
            on_status_change: `(thread_id, status, previous_status)` after each change.
            replace: whether it takes the place of another agent of its name, for its threads, too.

        Raises:
            ValidationError: it is no agent, or another one has its name.
        """
        if not isinstance(agent, AnyAgent):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValidationError(f"An Agent or an Agent.factory(…) is needed, not {shown(agent)}.")
        if not replace and self.agents.get(agent.name, agent) is not agent:
            raise ValidationError(
                f"Another agent is called {agent.name!r}; give this one a name of its own, or pass replace=True "
                "to let it answer the other's threads."
            )
        self.agents[agent.name] = agent
        if on_status_change is not None:
            self.status_hooks.setdefault(agent.name, []).append(on_status_change)

    async def __aenter__(self) -> Runtime:
        """Open the database, bring its schema up to date and begin to work."""
        if self._is_open:
            raise ValidationError("This runtime is open already; make another one.")
        with contextlib.ExitStack() as stack:
            database = opened(self.database_url, self.settings.synchronous)
            writing, reading, path = stack.enter_context(database)
            await asyncio.to_thread(migrate, writing)
            await asyncio.to_thread(self._deliveries.prepare)
            self._furnish(writing, reading, path)
            self._stack = stack.pop_all()
        self._writer.start()
        self._stalls.start()
        if self._work:
            self._start_work()
        self._is_open = True
        return self

    def _furnish(self, writing: Engine, reading: Engine, path: Path | None) -> None:
        """Make the parts that need a database, each with what it may know of the others."""
        self._loop = asyncio.get_running_loop()
        self._reads = Reads(reading)
        self._writer = Writer(
            writing,
            self.clock,
            watch=self.settings.watch,
            on_touch=self.feeds.tell,
            on_move=self._moved,
            on_foreign=self._on_foreign,
        )
        self._wake_ups = LeasedWakeUps(
            self.worker if self._work else None,
            self.settings.lease,
            dispatch=self._dispatch,
            cancel=self.cancel,
            notify=self._notify,
            engine_for=lambda key: self._pools.of(key).engine,
        )
        self._writer.wake = self._wake_ups
        self._presence = Presence(workers_folder(parse_url(self.database_url), path), self.worker)
        self._scheduler = Scheduler(reading, self._take, self._deliver, self.settings.poll)
        self._admission = Admission(self.settings.max_crashes, self.settings.probation)
        self._turns = Turns()
        shared = (self.agents, self.worker, self.settings, self.clock, self._turns)
        self._runner = Runner(self._writer, self._reads, *shared, self._hooks)
        self._tools = ToolRunner(self._writer, *shared)
        self._fences = FenceWatch(self._reads, self._runner, self._tools, self._pools, self.settings.pulse)
        self._runners: dict[WakeUpKind, Callable[[WakeUpKey], Coroutine[Any, Any, None]]] = {
            WakeUpKind.STEP: self._runner.step,
            WakeUpKind.TOOL: self._tools.call,
            WakeUpKind.TIMEOUT: self._tools.expire,
            WakeUpKind.SCHEDULE: ScheduleRunner(self._writer, self.agents, self.clock).run,
        }
        self._stalls = StallWatch(self.settings.stall, self._describe)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give running work back and close the database."""
        self.leave()
        self._runner.closing = True
        self.feeds.close()
        if self._work:
            await self._deliveries.close()
            self._scheduler.shutdown()
            await asyncio.gather(*(pool.close(_SHUTDOWN_TIMEOUT, WakeUpKind.STEP) for pool in self._pools))
            with contextlib.suppress(DatabaseError):  # then its leases run out by themselves
                await self._writer.run(self._wake_ups.release, self.worker)
        await self._hooks.close(_SHUTDOWN_TIMEOUT)
        self._is_open = False
        self._fences.close()
        await self._writer.close()
        self._presence.close()
        self._stalls.close()
        self._stack.close()

    def leave(self) -> None:
        """Note that this process ends on purpose, however suddenly: what it runs is not suspect for it."""
        self._presence.leave()

    # --- work ---

    def _start_work(self) -> None:
        self._presence.open()
        self._began = time.monotonic()
        for pool in self._pools:
            pool.open()
        duties = Reconciler(
            self._writer,
            self._reads,
            self._wake_ups,
            self._presence,
            holds=self._pools.holds,
            deliver=self._deliver,
            notify=self._notify,
            clock=self.clock,
        )
        self._scheduler.every(self.settings.heartbeat, duties.heartbeat)
        self._scheduler.every(self.settings.pulse, duties.take_over)
        self._scheduler.every(self.settings.reconcile, duties.reconcile)
        self._scheduler.every(_CLEANUP_INTERVAL, functools.partial(duties.tidy, self.settings.keep_deltas))
        self._scheduler.every(_CLEANUP_INTERVAL, self._complain)
        self._scheduler.start()
        self._deliveries.start()

    async def _take_up(self, text: str) -> None:
        """Do what an engine delivers, if its wake-up is there to take; until it has ended."""
        key = await self._writer.run(self._wake_ups.lease, text)
        if key is not None:
            self._dispatch(key)
            await self._pools.of(key).until_ended(key)

    def _complain(self) -> None:
        self._loop.call_soon_threadsafe(self._pools.complain)

    def _dispatch(self, key: WakeUpKey) -> None:
        """Put work that is leased to this worker into its workpool; on the event loop."""
        if not self._runner.closing:
            self._pools.submit(key, self._recorded)

    async def _recorded(self, key: WakeUpKey) -> None:
        work, record = self._runners[key.kind](key), self._presence.record
        await (work if record is None else record.run(str(key), work))

    def _describe(self, task: str) -> str:
        call = {str(key): call for key, call in list(self._tools.live.items())}.get(task)
        return f"the tool {call.name!r} ({task})" if call else f"the task {task!r}"

    def _notify(self) -> None:
        if self._work:
            self._scheduler.wakeup()

    def _on_foreign(self, touched: Collection[str] | None) -> None:
        """Another process has committed: there may be deltas, due work, or a stop for us."""
        if touched is None:
            self.feeds.tell_all()
        else:
            self.feeds.tell(touched)
        if touched is None or WORK_FEED in touched:
            self._notify()
        self._fences.look(touched)

    async def write_down(self, thread_id: str) -> None:
        """Flush what a model step of a thread has said so far, if it runs here; before it is stopped."""
        await self._runner.write_down(thread_id)

    def cancel(self, thread_id: str) -> None:
        """End what runs here for a thread whose fence has been raised, and forget it; on the event loop."""
        self._pools.cancel(thread_id)
        self._turns.forget(thread_id)

    def _moved(self, thread_id: str, status: str, previous: str, agent: str) -> None:
        for hook in self.status_hooks.get(agent, ()):
            self._hooks.soon(thread_id, call_hook, hook, thread_id, status, previous)

    # --- in the scheduler's threads ---

    def _take(self) -> list[WakeUpKey]:
        room, patience = self._pools.room(), self._deliveries.patience
        if not room:
            return []
        fresh, suspect = self._reads.anything_due(self.clock.now(), patience)
        keys = self._admit(room) if suspect else []
        if fresh and (room := self._pools.room()):
            taken = self._writer.run_blocking(self._wake_ups.take, room, patience)
            self._pools.expect(taken)
            keys += taken
        return keys

    def _admit(self, room: Mapping[str, int]) -> list[WakeUpKey]:
        """Lease the suspects that may run beside those that run here."""
        known, now = self._reads.suspects(), self.clock.now()
        held = [one for one in known if one.worker == self.worker]
        waiting = [one for one in known if one.worker is None and one.due <= now]
        keys = self._admission.of(held, waiting, room, time.monotonic() - self._began)
        if keys:
            keys = self._writer.run_blocking(self._wake_ups.admit, keys)
            self._pools.expect(keys)
        return keys

    def _deliver(self, key: WakeUpKey) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: the lease runs out by itself
            self._loop.call_soon_threadsafe(self._dispatch, key)
