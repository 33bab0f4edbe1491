"""The bridge: the same work on a distributed engine that is there already.

The wake-up row stays the truth. An engine only says *when and where* to look at it: each new wake-up
is handed to the engine in the same transaction, and whichever worker the engine picks takes the
row's lease and works. So an engine that loses a message, delivers it twice, late or to two workers
costs time and nothing else: the lease decides, and the scheduler looks at what the engine left lying.
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
_ENGINE_TIMEOUT = 1.0  # seconds that a due wake-up is left to the engine before the scheduler takes it
_RESTART_INTERVAL = 1.0  # seconds until an engine that stopped is started again
_log = get_logger(__name__)


@runtime_checkable
class Engine(Protocol):
    """A distributed engine, as far as the bridge needs one.

    `agent_core.worker.procrastinate.ProcrastinateEngine` is one. Delivery may be repeated, late or lost.
    """

    def prepare(self) -> None:
        """Make what the engine needs in the database, if it is not there yet; blocks."""
        ...

    def defer(self, tx: Tx, key: str, run_at: float | None) -> None:
        """Write, in the transaction `tx`, that `key` is to be delivered, at once or at `run_at`.

        Args:
            tx: the transaction that writes the wake-up too; `tx.run(Statement, …)` writes with it.
            key: what `run` hands to a worker.
            run_at: seconds since the epoch; None: at once.
        """
        ...

    async def run(self, deliver: Deliver, concurrency: int) -> None:
        """Await `deliver(key)` for what is due, at most `concurrency` at once, until cancelled."""
        ...


class Deliveries:
    """The engines of a worker's workpools, running.

    Args:
        take_up: does what is delivered, if its wake-up is there to take.
        pools: the workpools; those without an engine are passed over.
    """

    def __init__(self, take_up: Deliver, pools: Iterable[Workpool]) -> None:
        self._take_up = take_up
        self._engines: dict[int, tuple[Engine, int]] = {}
        for pool in pools:
            if pool.engine is not None:
                _, before = self._engines.get(id(pool.engine), (None, 0))
                self._engines[id(pool.engine)] = (pool.engine, before + pool.max_parallelism)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def patience(self) -> float:
        """Seconds that the scheduler leaves a due wake-up to the engine."""
        return _ENGINE_TIMEOUT if self._engines else 0.0

    def start(self) -> None:
        """Begin to take deliveries; on the event loop."""
        self._tasks = [asyncio.create_task(self._run(*engine)) for engine in self._engines.values()]

    async def close(self) -> None:
        """Take nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, engine: Engine, concurrency: int) -> None:
        while True:
            try:
                await engine.run(self._take_up, concurrency)
            except Exception:
                _log.exception("The engine %r stopped; it is started again.", engine)
            await asyncio.sleep(_RESTART_INTERVAL)


def create_workpool_bridge(engine: Any, *, max_parallelism: int = 64) -> Workpool:
    """Return a workpool that gets its work through `engine`; agents, tools and pages stay as they are.

    Give it to `Runtime(workpool=…)` in every process. What follows at once in the same process (tools
    after a step, the next step after its tools) does not go round by the engine.

    Args:
        engine: an `Engine`, such as `agent_core.worker.procrastinate.ProcrastinateEngine(url)`.
        max_parallelism: how many steps or tools run at once in this process.

    Raises:
        ValidationError: the engine lacks one of the methods, or `max_parallelism` is below 1.
    """
    if not isinstance(engine, Engine):
        raise ValidationError(
            "An engine has the methods prepare(), defer(tx, key, run_at) and run(deliver, concurrency)."
        )
    pool = Workpool(max_parallelism)
    pool.engine = engine
    return pool
