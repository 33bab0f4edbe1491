"""The same runtime on APScheduler as it comes, to show what the harness can see.

The jobs stand in a plain SQLAlchemyJobStore: each is deleted before it runs, and there is no lease,
no lock file and no reconciler. Everything else (rows, fences, runner) is ours.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from agent_core import Runtime, Worker
from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.store.database.columns import WAKE_UP, P
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.wake_ups.wake_ups import LeasedWakeUps

_workers: list[StockWorker] = []


class StockRuntime(Runtime):
    """A runtime whose work is woken by stock jobs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, work=False)

    async def __aenter__(self) -> StockRuntime:
        await super().__aenter__()
        self.worker = await self._stack.enter_async_context(StockWorker(self.store, self._pools))
        return self


class StockWorker(Worker):
    """The worker of such a runtime."""

    async def __aenter__(self) -> StockWorker:
        store, connecting = self._store, {"connect_args": {"timeout": 30}}
        jobs = SQLAlchemyJobStore(store.database_url, engine_options=connecting)
        stock = BackgroundScheduler(jobstores={"default": jobs}, timezone=UTC)
        _workers.append(self)
        store.attach(self)
        wake_ups = _StockWakeUps(store.process, 1e9, stock)
        wake_ups.worker = self
        store.writer._wake = wake_ups  # pyright: ignore[reportPrivateUsage]
        stock.start()
        return self

    def dispatch(self, key: WakeUpKey) -> None:
        """Leave it to the job."""

    def adopt(self, key: str) -> None:
        """Take work whose job has just been deleted; what a dead process began is taken too."""
        self._store.writer.run_blocking(_take_over, key, self._store.process)
        self._loop.call_soon_threadsafe(super().dispatch, WakeUpKey.parse(key))


def run_job(key: str) -> None:
    """Stand as the target of the jobs; pickled by name."""
    _workers[-1].adopt(key)


_TAKE_OVER = Statement(WAKE_UP.update().where(WAKE_UP.c.id == P("key")).values(worker=P("by")))


def _take_over(tx: Tx, key: str, worker: str) -> None:
    tx.run(_TAKE_OVER, key=key, by=worker)


class _StockWakeUps(LeasedWakeUps):
    """Adds a job after the commit, as an application would."""

    def __init__(self, process: str, lease: float, stock: BackgroundScheduler) -> None:
        super().__init__(process, lease)
        self._stock = stock

    def enqueue(
        self, tx: Tx, key: WakeUpKey | str, run_at: float | None = None, *, fresh: bool = False
    ) -> None:
        super().enqueue(tx, key)
        tx.after(self._add, str(key), run_at or tx.now)

    def _add(self, key: str, run_at: float) -> None:
        when = datetime.fromtimestamp(run_at, UTC)
        self._stock.add_job(run_job, "date", run_date=when, args=(key,), id=key, replace_existing=True)
