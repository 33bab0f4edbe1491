"""Deliver wake-ups through a distributed engine.

The wake-up row stays the source of truth. An engine only decides which worker looks at it, and when: each new
wake-up is deferred to the engine in the same transaction, and the worker that the engine picks leases the row.
An engine that loses a message, or delivers it twice, late or to two workers, costs time and nothing else: the
lease decides, and the scheduler takes the wake-ups that the engine has not delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from agent_core.errors import ValidationError
from agent_core.store.database.transaction import Tx
from agent_core.support.logs import get_logger
from agent_core.worker.workpool import Workpool

Deliver = Callable[[str], Awaitable[None]]
_ENGINE_TIMEOUT = 1.0  # seconds for which a due wake-up is left to the engine
_CLOSE_TIMEOUT = 5.0  # seconds for which a close waits for the engines
_RESTART_INTERVAL = 1.0  # seconds until an engine that stopped is restarted
_log = get_logger(__name__)


@runtime_checkable
class Engine(Protocol):
    """Protocol of a distributed engine, such as `agent_core.worker.procrastinate.ProcrastinateEngine`.

    Delivery may be repeated, early, late or lost.
    """

    def prepare(self) -> None:
        """Create the engine's tables in the database, unless they exist; blocks."""
        ...

    def defer(self, tx: Tx, key: str, run_at: float | None) -> None:
        """Defer the delivery of `key` to `run_at`, as a part of the transaction `tx`.

        Args:
            tx: the transaction that writes the wake-up; `tx.run(Statement, …)` writes with it.
            key: the argument of `deliver` in `run`.
            run_at: seconds since the epoch; None: at once.
        """
        ...

    async def run(self, deliver: Deliver, concurrency: int) -> None:
        """Await `deliver(key)` for each due key, at most `concurrency` at once, until cancelled."""
        ...


class Deliveries:
    """Runs the engines of a worker's workpools; `deliver` runs a key's work if its wake-up can be leased."""

    def __init__(self, deliver: Deliver, pools: Iterable[Workpool]) -> None:
        self._deliver = deliver
        self._engines: dict[int, tuple[Engine, int]] = {}
        for pool in pools:
            if pool.engine is not None:
                _, before = self._engines.get(id(pool.engine), (None, 0))
                self._engines[id(pool.engine)] = (pool.engine, before + pool.max_parallelism)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def delay(self) -> float:
        """Seconds for which the scheduler leaves a due wake-up to the engines."""
        return _ENGINE_TIMEOUT if self._engines else 0.0

    def start(self) -> None:
        """Start the engines; call it on the event loop."""
        self._tasks = [asyncio.create_task(self._run(*engine)) for engine in self._engines.values()]

    async def close(self) -> None:
        """Stop the engines."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:  # an engine may wait for a server that does not answer
            await asyncio.wait(self._tasks, timeout=_CLOSE_TIMEOUT)

    async def _run(self, engine: Engine, concurrency: int) -> None:
        while True:
            try:
                await engine.run(self._deliver, concurrency)
            except Exception:
                _log.exception("The engine %r stopped; it restarts in %g s.", engine, _RESTART_INTERVAL)
            await asyncio.sleep(_RESTART_INTERVAL)


def create_workpool_bridge(
    engine: Any, *, max_parallelism: int = 64, max_per_user: int | None = None
) -> Workpool:
    """Return a workpool that gets its work through `engine`; agents, tools and pages do not change.

    Pass it to `Runtime(workpool=…)` in every process. Work that follows in the same process (tools after a
    step, the next step after its tools) bypasses the engine.

    Args:
        engine: an `Engine`, such as `agent_core.worker.procrastinate.ProcrastinateEngine(url)`.
        max_parallelism: number of steps or tools that run at once in this process.
        max_per_user: see `Workpool`.

    Raises:
        ValidationError: the engine lacks one of the methods, or a number is below 1.
    """
    if not isinstance(engine, Engine):
        raise ValidationError(
            "An engine has the methods prepare(), defer(tx, key, run_at) and run(deliver, concurrency)."
        )
    pool = Workpool(max_parallelism, max_per_user=max_per_user)
    pool.engine = engine
    return pool
