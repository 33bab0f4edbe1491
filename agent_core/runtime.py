"""Open a store and run its work in this process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any

from agent_core.agent import AnyAgent, check_agent
from agent_core.domain.messages import Thread
from agent_core.outbox import Outbox
from agent_core.store.store import Store
from agent_core.store.wake_ups import due_work
from agent_core.support.argument_checks import check_arguments, check_has, known_options
from agent_core.support.clock import Clock
from agent_core.support.logs import get_logger
from agent_core.support.settings import Settings
from agent_core.support.signals import received
from agent_core.worker.event_loop_watchdog import EventLoopWatchdog
from agent_core.worker.worker import Worker
from agent_core.worker.workpool import QueueStats, Workpool, Workpools

_log = get_logger(__name__)


@known_options
class Runtime:
    """Opens the database, recovers the work of dead processes, and runs due work until it is closed.

    An async context manager; use it on one event loop::

        async with Runtime("sqlite:///data/agents.db") as runtime: ...

    Args:
        database_url: sqlite:///path, whose folder is made, or postgresql://user@host/name, which exists.
        workpool: the workpool of model steps.
        tool_workpool: the workpool of tools; by default a separate one, as large as `workpool`.
        delete_after: seconds without activity after which a thread is deleted; None: never. An agent may have its
            own (`Agent(delete_after=…)`).
        outbox: receives the events of all threads. It switches the outbox of the database on, for every process and until
            `api.outbox.switch_off`; it delivers if this process runs work.
        settings: durations; only tests need others than the defaults.
        clock: the time.
        work: whether this process runs work; False: it only sends and reads.

    Attributes:
        store: the store; `define_agent_api` takes it as well as a runtime.
        worker: (while it is open) the worker of this process; None if `work` is False.

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
        delete_after: float | None = None,
        outbox: Outbox | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        work: bool = True,
    ) -> None:
        given = {key: value for key, value in locals().items() if key != "self"}
        check_arguments(Runtime.__init__, (), given, who="Runtime")
        if clock is not None:
            check_has(clock, "now", "clock of Runtime must be a Clock")
        self._pools = Workpools(workpool, tool_workpool)
        self.workpool, self.tool_workpool = self._pools.steps, self._pools.tools
        if delete_after is not None:
            settings = replace(settings or Settings(), delete_after=delete_after)
        self.store = Store(database_url, settings=settings, clock=clock, defer_for=self._pools.defer_for)
        self.worker: Worker | None = None
        self._outbox = outbox
        self._work = work
        self._stack = contextlib.AsyncExitStack()

    async def get_thread(self, thread_id: str) -> Thread | None:
        """Return a thread of any user; see `Store.get_thread`."""
        return await self.store.get_thread(thread_id)

    async def queue(self) -> dict[str, QueueStats]:
        """Return how much work there is and how long it waits, for "steps" and for "tools".

        Cheap: it reads this process's workpools, and the database once.
        """
        due = await asyncio.to_thread(self.store.reads.read, due_work.backlog, self.store.clock.now())
        return self._pools.stats(due)

    def register(
        self, agent: AnyAgent, on_status_change: Callable[..., Any] | None = None, *, replace: bool = False
    ) -> None:
        """Register an agent, so that its threads can run in this process.

        Args:
            agent: an `Agent`, or the result of `Agent.factory`; the same agent may be registered again.
            on_status_change: `(thread_id, status, previous_status)` after each change.
            replace: whether the agent replaces another agent of its name, for existing threads, too.

        Raises:
            ValidationError: `agent` is not an agent, or another agent has its name.
        """
        self.store.agents.add(check_agent(agent), on_status_change, replace=replace)

    async def begin_work(self) -> None:
        """Begin to run work in a runtime that was opened with `work=False`, once its agents are registered.

        Raises:
            ValidationError: the runtime is not open, or runs work already.
        """
        self.worker = await self._stack.enter_async_context(self._new_worker())

    async def drain(self, grace: float, *, until: Iterable[signal.Signals] = ()) -> bool:
        """Take no more work, and wait until the running steps and tools have ended; then close the runtime.

        Their follow-up work (tools after a step, the next step) is left to other workers, and so is, at the
        close, what still runs. Reading and sending go on.

        Args:
            grace: maximum number of seconds to wait.
            until: signals that end the wait, such as SIGINT.

        Returns:
            whether everything has ended in time.
        """
        with received(until) as names:
            return await self._drain(grace, names)

    async def run_until_signal(self, grace: float = 30.0) -> bool:
        """Run due work until SIGTERM or SIGINT, then `drain`; a second signal ends the wait.

        Call it in the main thread.

        Returns:
            whether everything has ended in time.
        """
        with received() as names:
            name = await names.get()
            _log.info("%s: running steps and tools get up to %g s to end; no new work is taken.", name, grace)
            return await self._drain(grace, names)

    async def _drain(self, grace: float, signals: asyncio.Queue[str]) -> bool:
        """Drain until the queue gets a signal's name."""
        if self.worker is None:
            return True
        drain = asyncio.ensure_future(self.worker.drain(grace))
        signalled = asyncio.ensure_future(signals.get())
        try:
            await asyncio.wait({drain, signalled}, return_when=asyncio.FIRST_COMPLETED)
            return drain.done() and drain.result()
        finally:
            drain.cancel()
            signalled.cancel()

    async def __aenter__(self) -> Runtime:
        """Open the database, bring its schema up to date and begin to work."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.store)
            stack.enter_context(EventLoopWatchdog(self.store.settings.stall, self._describe))
            if self._outbox is not None:
                await self.store.outbox.switch_on(self._outbox.events)
            if self._work:
                self.worker = await stack.enter_async_context(self._new_worker())
            else:
                await asyncio.to_thread(
                    self._pools.prepare
                )  # work that is sent here is deferred to its engine, too
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release running work and close the database."""
        self.store.feeds.close()  # first, so that a tool that follows a thread ends in time
        await self._stack.aclose()

    def _new_worker(self) -> Worker:
        return Worker(self.store, self._pools, outbox=self._outbox)

    def leave(self) -> None:
        """Note that this process ends on purpose, so that its running work is not suspected of a crash."""
        if self.worker is not None:
            self.worker.leave()

    def _describe(self, task: str) -> str:
        return f"the task {task!r}" if self.worker is None else self.worker.describe(task)
