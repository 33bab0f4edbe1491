"""The worker: runs the due work of a store in this process, and gives it back when it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from types import TracebackType
from typing import Any

from agent_core.domain.suspects import Admission
from agent_core.domain.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.errors import DatabaseError
from agent_core.runners.model_runner import Runner
from agent_core.runners.requests.turn_cache import Turns
from agent_core.runners.schedule_runner import ScheduleRunner
from agent_core.runners.tool_runner import ToolRunner
from agent_core.store.database.columns import WORK_FEED
from agent_core.store.database.open import parse_url
from agent_core.store.store import Store
from agent_core.worker.bridge import Deliveries
from agent_core.worker.reconciler import Reconciler
from agent_core.worker.scheduler import Scheduler
from agent_core.worker.stop_watch import FenceWatch
from agent_core.worker.worker_locks import Presence, workers_folder
from agent_core.worker.workpools import Pools

_CLEANUP_INTERVAL = 60.0  # seconds between looks for deltas that no reader needs any more
_SHUTDOWN_TIMEOUT = 5.0  # seconds that running tools get to end by themselves when the process is asked to


class Worker:
    """Takes over what dead processes left, and works until it is closed.

    An async context manager, inside that of its store and on the same event loop::

        async with Store(url) as store, Worker(store): ...

    Args:
        store: the store, open; a store has one worker at most.
        pools: where the work runs; by default a workpool for model steps and another for tools.

    Attributes:
        pools: as given.
    """

    def __init__(self, store: Store, pools: Pools | None = None) -> None:
        self._store = store
        self.pools = pools or Pools(None, None)
        self._deliveries = Deliveries(self._take_up, self.pools)
        self._scheduler = Scheduler(store.engine, self._take, self._deliver, store.settings.poll)
        folder = workers_folder(parse_url(store.database_url), store.path)
        self._presence = Presence(folder, store.process)
        self._reconciler = Reconciler(
            store, self._presence, holds=self.pools.holds, deliver=self._deliver, notify=self.notify
        )
        self._admission = Admission(store.settings.max_crashes, store.settings.probation)
        self._turns = Turns()
        self._steps = Runner(store, self._turns)
        self._tools = ToolRunner(store, self._turns)
        self._fences = FenceWatch(store, self._steps, self._tools, self.pools)
        self._runners: dict[WakeUpKind, Callable[[WakeUpKey], Coroutine[Any, Any, None]]] = {
            WakeUpKind.STEP: self._steps.step,
            WakeUpKind.TOOL: self._tools.call,
            WakeUpKind.TIMEOUT: self._tools.expire,
            WakeUpKind.SCHEDULE: ScheduleRunner(store).run,
        }
        self._loop = asyncio.get_running_loop()
        self._began = time.monotonic()

    async def __aenter__(self) -> Worker:
        """Begin to work."""
        await asyncio.to_thread(self.pools.prepare)
        self._store.attach(self)
        self._presence.open()
        self._began = time.monotonic()
        for pool in self.pools:
            pool.open()
        self._start_scheduler()
        self._deliveries.start()
        return self

    def _start_scheduler(self) -> None:
        settings, duties = self._store.settings, self._reconciler
        self._scheduler.every(settings.heartbeat, duties.heartbeat)
        self._scheduler.every(settings.pulse, duties.take_over)
        self._scheduler.every(settings.reconcile, duties.reconcile)
        self._scheduler.every(_CLEANUP_INTERVAL, functools.partial(duties.tidy, settings.keep_deltas))
        self._scheduler.every(_CLEANUP_INTERVAL, self._complain)
        self._scheduler.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give running work back."""
        self.leave()
        self._steps.closing = True
        await self._deliveries.close()
        self._scheduler.shutdown()
        await asyncio.gather(*(pool.close(_SHUTDOWN_TIMEOUT, WakeUpKind.STEP) for pool in self.pools))
        self._store.detach()
        with contextlib.suppress(DatabaseError):  # then its leases run out by themselves
            await self._store.writer.run(self._store.wake_ups.release, self._store.process)
        self._fences.close()
        self._presence.close()

    def leave(self) -> None:
        """Note that this process ends on purpose, however suddenly: what it runs is not suspect for it."""
        self._presence.leave()

    def describe(self, task: str) -> str:
        """Return in words what the task with this name does."""
        call = {str(key): call for key, call in list(self._tools.live.items())}.get(task)
        return f"the tool {call.name!r} ({task})" if call else f"the task {task!r}"

    # --- what the store asks of it; see `LocalWorker` ---

    def dispatch(self, key: WakeUpKey) -> None:
        """Put work that is leased to this process into its workpool; on the event loop."""
        if not self._steps.closing:
            self.pools.submit(key, self._recorded)

    def cancel(self, thread_id: str) -> None:
        """End what runs here for a thread whose fence has been raised, and forget it; on the event loop."""
        self.pools.cancel(thread_id)
        self._turns.forget(thread_id)

    def notify(self) -> None:
        """Look for due work now."""
        self._scheduler.wakeup()

    def heard(self, touched: Collection[str] | None) -> None:
        """Look for due work and for stops that another process may have committed."""
        if touched is None or WORK_FEED in touched:
            self.notify()
        self._fences.look(touched)

    async def write_down(self, thread_id: str) -> None:
        """Flush what a model step of a thread has said so far, if it runs here."""
        await self._steps.write_down(thread_id)

    # --- on the event loop ---

    async def _take_up(self, text: str) -> None:
        """Do what an engine delivers, if its wake-up is there to take; until it has ended."""
        key = await self._store.writer.run(self._store.wake_ups.lease, text)
        if key is not None:
            self.dispatch(key)
            await self.pools.of(key).until_ended(key)

    async def _recorded(self, key: WakeUpKey) -> None:
        work, record = self._runners[key.kind](key), self._presence.record
        await (work if record is None else record.run(str(key), work))

    # --- in the scheduler's threads ---

    def _complain(self) -> None:
        self._loop.call_soon_threadsafe(self.pools.complain)

    def _take(self) -> list[WakeUpKey]:
        room, patience = self.pools.room(), self._deliveries.patience
        if not room:
            return []
        fresh, suspect = self._store.reads.anything_due(self._store.clock.now(), patience)
        keys = self._admit(room) if suspect else []
        if fresh and (room := self.pools.room()):
            taken = self._store.writer.run_blocking(self._store.wake_ups.take, room, patience)
            self.pools.expect(taken)
            keys += taken
        return keys

    def _admit(self, room: Mapping[str, int]) -> list[WakeUpKey]:
        """Lease the suspects that may run beside those that run here."""
        known, now = self._store.reads.suspects(), self._store.clock.now()
        held = [one for one in known if one.worker == self._store.process]
        waiting = [one for one in known if one.worker is None and one.due <= now]
        keys = self._admission.of(held, waiting, room, time.monotonic() - self._began)
        if keys:
            keys = self._store.writer.run_blocking(self._store.wake_ups.admit, keys)
            self.pools.expect(keys)
        return keys

    def _deliver(self, key: WakeUpKey) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: the lease runs out by itself
            self._loop.call_soon_threadsafe(self.dispatch, key)
