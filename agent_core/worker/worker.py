"""Run the due work of a store in this process."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from types import TracebackType
from typing import Any

from agent_core.domain.validation import clean_words
from agent_core.domain.wake_ups.suspects import Admission
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.errors import DatabaseError
from agent_core.outbox import Outbox
from agent_core.runners.history_cache import HistoryCache
from agent_core.runners.model_runner import ModelRunner
from agent_core.runners.outbox_runner import OutboxRunner
from agent_core.runners.tool_runner import ToolRunner
from agent_core.sentences import sentence
from agent_core.store.database.open import parse_url
from agent_core.store.database.sql import WORK_FEED
from agent_core.store.schedules import runs
from agent_core.store.store import Store
from agent_core.store.threads import absent_agents, suspects
from agent_core.store.tool_calls.calls import UnknownAgent
from agent_core.store.wake_ups import due_work
from agent_core.store.wake_ups.take import Leased
from agent_core.support.argument_checks import known_options
from agent_core.support.faults import crash_point
from agent_core.support.logs import get_logger
from agent_core.worker.bridge import Deliveries
from agent_core.worker.heartbeat import Heartbeat
from agent_core.worker.reconciler import Reconciler
from agent_core.worker.scheduler import Scheduler
from agent_core.worker.spread import Spread
from agent_core.worker.stop_watch import StopWatch
from agent_core.worker.worker_locks import WorkerLocks, workers_folder
from agent_core.worker.worker_sessions import WorkerSessions
from agent_core.worker.workpool import Workpools

_log = get_logger(__name__)
_RETENTION_INTERVAL = 5.0  # seconds between deletions of threads that have been idle for too long
_CLEANUP_INTERVAL = 60.0  # seconds between deletions of deltas that no reader needs any more
_SHUTDOWN_TIMEOUT = 5.0  # seconds that running tools get to end when the worker is closed
_SCHEDULE_RETRY_INTERVAL = 15.0  # seconds until a failed run of a schedule is retried
_AGENT_RETRY_INTERVAL = 2.0  # seconds until the work of an unknown agent is offered again
_REFILL_DELAY = (
    0.005  # seconds from the first freed place to a look for the work that waits for it, and for others
)


@known_options
class Worker:
    """Runs due work until it is closed, the work of dead processes included.

    An async context manager, inside that of its store and on the same event loop::

        async with Store(url) as store, Worker(store): ...

    Args:
        store: the open store; a store has at most one worker.
        pools: the workpools; by default one for model steps and one for tools.
        outbox: receives the events; None: this process delivers none.

    Attributes:
        pools: the workpools.
    """

    def __init__(self, store: Store, pools: Workpools | None = None, *, outbox: Outbox | None = None) -> None:
        self._store = store
        self.pools = pools or Workpools(None, None)
        self.pools.delivers = outbox is not None
        self._deliveries = Deliveries(self._take_up, self.pools)
        store.wake_ups.delay = self._deliveries.delay
        self._spread = Spread(store, self.pools, self._deliveries.delay)
        self._is_short_of_room = False  # whether due work has found no place here
        self._scheduler = Scheduler(store.engine, self._take, self._deliver, store.settings.poll)
        folder = workers_folder(parse_url(store.database_url), store.path)
        self._locks = WorkerLocks(folder, store.process)
        self._heartbeat = Heartbeat(store, self._spread)
        self._reconciler = Reconciler(
            store,
            self._locks,
            self._spread,
            self._heartbeat,
            WorkerSessions(store),
            holds=self.pools.holds,
            deliver=self._deliver,
            notify=self.notify,
        )
        self._admission = Admission(store.settings.max_crashes, store.settings.probation)
        self._admitted: dict[WakeUpKey, float] = {}  # the suspects that run here, with their monotonic start
        self._history_cache = HistoryCache()
        self._steps = ModelRunner(store, self._history_cache)
        self._tools = ToolRunner(store, self._history_cache)
        self._stop_watch = StopWatch(store, self._steps, self._tools, self.pools)
        self._runners: dict[WakeUpKind, Callable[[WakeUpKey], Coroutine[Any, Any, None]]] = {
            WakeUpKind.STEP: self._steps.step,
            WakeUpKind.TOOL: self._tools.call,
            WakeUpKind.TIMEOUT: self._tools.expire,
            WakeUpKind.SCHEDULE: self._run_schedule,
        }
        if outbox is not None:
            self._runners[WakeUpKind.OUTBOX] = OutboxRunner(store, outbox).deliver
        self._loop = asyncio.get_running_loop()
        self._put_backs: set[asyncio.Task[None]] = set()
        self._began = time.monotonic()

    async def __aenter__(self) -> Worker:
        """Start to run work."""
        await asyncio.to_thread(self.pools.prepare)
        self._store.attach(self)
        self._locks.open()
        await asyncio.to_thread(self._heartbeat.beat)  # before it takes any lease; see `wake_ups.expire`
        self._began = time.monotonic()
        for pool in self.pools:
            pool.open()
        self._start_scheduler()
        self._deliveries.start()
        return self

    def _start_scheduler(self) -> None:
        settings, duties = self._store.settings, self._reconciler
        self._scheduler.every(settings.pulse, duties.take_over)
        self._scheduler.every(settings.reconcile, duties.reconcile)
        self._scheduler.every(settings.reconcile, duties.catch_up)
        self._scheduler.every(_RETENTION_INTERVAL, duties.delete_expired)
        self._scheduler.every(_CLEANUP_INTERVAL, functools.partial(duties.tidy, settings.keep_deltas))
        self._scheduler.every(_CLEANUP_INTERVAL, self._warn_of_standstill)
        self._heartbeat.start()
        self._scheduler.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release running work to other workers."""
        self.leave()
        self._steps.closing = True
        await self._deliveries.close()
        self._scheduler.shutdown()
        self._heartbeat.close()
        at_once = set(WakeUpKind) if self._spread.is_leaving else {WakeUpKind.STEP}
        await asyncio.gather(*(pool.close(_SHUTDOWN_TIMEOUT, at_once) for pool in self.pools))
        self._store.detach()
        with contextlib.suppress(DatabaseError):  # the leases expire then
            await self._store.writer.run(self._store.wake_ups.release, self._store.process)
        self._stop_watch.close()
        self._locks.close()

    async def drain(self, grace: float) -> bool:
        """Take no more work, and wait until the running work has ended; see `Runtime.drain`."""
        self.leave()
        self._spread.is_leaving = True
        await asyncio.to_thread(self._heartbeat.beat)
        await self._deliveries.close()
        await self._put_back([key for pool in self.pools for key in pool.drain()])
        ended = await asyncio.gather(*(pool.until_idle(grace) for pool in self.pools))
        return all(ended)

    async def _put_back(self, keys: list[WakeUpKey]) -> None:
        """Release leased work that has not begun; the reconciler retries it."""
        with contextlib.suppress(DatabaseError):
            await self._store.writer.run(self._store.wake_ups.put_back, keys)

    @property
    def heartbeat_age(self) -> float:
        """Seconds since the leases were extended last."""
        return self._heartbeat.age

    @property
    def is_draining(self) -> bool:
        """Whether `drain` was called."""
        return self._spread.is_leaving

    @property
    def peers(self) -> int:
        """Number of the other workers that share the work, at the last look, which is a second old at most."""
        return self._spread.peers

    def leave(self) -> None:
        """Note that this process ends on purpose, so that its running work is not suspected of a crash."""
        self._locks.leave()

    def describe(self, task: str) -> str:
        """Return a description of the task with this name, for the log."""
        call = {str(key): call for key, call in list(self._tools.live.items())}.get(task)
        return f"the tool {call.name!r} ({task})" if call else f"the task {task!r}"

    # --- called by the store; see `LocalWorker` ---

    def keeps(self, key: WakeUpKey, fresh: bool) -> bool:
        """Whether new work is leased to this process; call it in the writer's thread."""
        return self._spread.keeps(key, fresh)

    def dispatch(self, key: WakeUpKey, user_id: str | None = None) -> None:
        """Submit work that is leased to this process to its workpool; call it on the event loop."""
        self.pools.note_user(key.thread_id, user_id)
        if self._spread.is_leaving and not self._steps.closing and not self.pools.holds(key):
            task = self._loop.create_task(self._put_back([key]))
            self._put_backs.add(task)
            task.add_done_callback(self._put_backs.discard)
        elif not self._steps.closing:
            self.pools.submit(key, self._run)

    def cancel(self, thread_id: str) -> None:
        """Cancel the local work of a thread whose fence has been raised; call it on the event loop."""
        self.pools.cancel(thread_id)
        self._history_cache.drop(thread_id)

    def notify(self) -> None:
        """Look for due work now."""
        self._scheduler.wakeup()

    def on_foreign_commit(self, touched: Collection[str] | None) -> None:
        """Look for due work and for stops that another process may have committed."""
        if touched is None or WORK_FEED in touched:
            self.notify()
        self._stop_watch.check(touched)

    async def flush(self, thread_id: str) -> None:
        """Flush the pending chunks of a thread's model step, if it runs here."""
        await self._steps.flush(thread_id)

    # --- on the event loop ---

    async def _take_up(self, text: str) -> None:
        """Run the work of a wake-up that an engine delivers, if it can be leased, and wait for its end.

        What is beyond this worker's share is passed on to the others.
        """
        write, wake_ups, key = self._store.writer.run, self._store.wake_ups, WakeUpKey.parse(text)
        if not self._spread.keeps(key, fresh=True):
            await write(wake_ups.pass_on, text, self._deliveries.delay)
        elif leased := await write(wake_ups.lease, text):
            self.dispatch(key, leased.user_id)
            await self.pools.of(key).until_ended(key)
        else:
            self.pools.forget(key)

    async def _run(self, key: WakeUpKey) -> None:
        work, record = self._runners[key.kind](key), self._locks.record
        try:
            await (work if record is None else record.run(str(key), work))
        except UnknownAgent as agent:
            await self._postpone(key, str(agent))
        finally:
            if self._is_short_of_room:
                self._is_short_of_room = False
                self._loop.call_later(_REFILL_DELAY, self.notify)

    async def _postpone(self, key: WakeUpKey, agent: str) -> None:
        """Release a wake-up for a process that knows the agent."""
        run_at = self._store.clock.now() + _AGENT_RETRY_INTERVAL
        if await self._store.writer.run(absent_agents.put_back, key, agent, run_at):
            _log.warning("%s waits for a process that defines the agent %r; this one does not.", key, agent)

    async def _run_schedule(self, key: WakeUpKey) -> None:
        """Run a schedule if it is due; a run that fails is retried later."""
        schedule_id = key.thread_id
        crash_point("schedule.taken")
        try:
            await self._store.writer.run(runs.fire, schedule_id, self._store.agents)
        except UnknownAgent as agent:
            await self._postpone_schedule(schedule_id, sentence("schedule_agent_unknown", agent=str(agent)))
        except DatabaseError:
            raise
        except Exception as error:
            _log.exception("Schedule %s: the run failed.", schedule_id)
            await self._postpone_schedule(schedule_id, clean_words(error))
        crash_point("schedule.after")

    async def _postpone_schedule(self, schedule_id: str, why: str) -> None:
        _log.warning("Schedule %s: retry in %g s: %s", schedule_id, _SCHEDULE_RETRY_INTERVAL, why)
        run_at = self._store.clock.now() + _SCHEDULE_RETRY_INTERVAL
        await self._store.writer.run(runs.wait, schedule_id, why, run_at)

    # --- in the scheduler's threads ---

    def _warn_of_standstill(self) -> None:
        self._loop.call_soon_threadsafe(self.pools.warn_of_standstill, self._is_short_of_room)

    def _take(self) -> list[WakeUpKey]:
        if self._spread.is_leaving:
            return []
        delay, now = self._deliveries.delay, self._store.clock.now()
        fresh, suspect = self._store.reads.read(due_work.anything_due, now, delay, outbox=self.pools.delivers)
        if not (fresh or suspect):
            return []
        most = self.pools.steps.max_per_user
        self._is_short_of_room = self.pools.is_short_of_room or most is not None
        self._spread.look()
        keys = self._admit(self._spread.share(self.pools.room(), suspect=True)) if suspect else []
        if fresh and (share := self._spread.share(self.pools.room())):
            taken = self._store.writer.run_blocking(self._store.wake_ups.take, share, delay, most)
            keys += self._expect(taken)
        return keys

    def _expect(self, leased: list[Leased]) -> list[WakeUpKey]:
        for key, user_id in leased:
            self.pools.note_user(key.thread_id, user_id)
        keys = [key for key, _ in leased]
        self.pools.expect(keys)
        return keys

    def _admit(self, room: Mapping[str, int]) -> list[WakeUpKey]:
        """Lease the suspects that may run together with those that run here."""
        known, now = self._store.reads.read(suspects.found), self._store.clock.now()
        mine, started = [one for one in known if one.worker == self._store.process], time.monotonic()
        self._admitted = {one.key: self._admitted.get(one.key, started) for one in mine}
        held = [one._replace(ran=started - self._admitted[one.key]) for one in mine]
        waiting = [one for one in known if one.worker is None and one.due <= now]
        keys = self._admission.of(held, waiting, room, started - self._began)
        if not keys:
            return []
        leased = self._store.writer.run_blocking(self._store.wake_ups.admit, keys)
        self._admitted |= {one.key: started for one in leased}
        return self._expect(leased)

    def _deliver(self, key: WakeUpKey) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed; the lease expires
            self._loop.call_soon_threadsafe(self.dispatch, key)
