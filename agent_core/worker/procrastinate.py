"""Procrastinate (https://procrastinate.readthedocs.io) as the engine behind `create_workpool_bridge`.

It needs nothing but the PostgreSQL that holds the threads. A wake-up is deferred by its own SQL
function on our connection, so it is committed with the state it belongs to or not at all.
"""

# The border to a library that is installed only where it is used:
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url

from agent_core.errors import ValidationError
from agent_core.store.database.columns import dump
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.support.logs import get_logger
from agent_core.worker.bridge import Deliver

_log = get_logger(__name__)
_TASK = "agent_core.look"
_HEARTBEAT, _STALLED, _SWEEP = 2.0, 10.0, 5.0  # seconds
_DEFER = Statement(
    text(
        "SELECT procrastinate_defer_jobs_v1(ARRAY[CAST(ROW(:queue, :task, 0, NULL, NULL, CAST(:args AS jsonb), "
        "to_timestamp(CAST(:run_at AS double precision))) AS procrastinate_job_to_defer_v1)])"
    )
)
_LOCK = 7_236_401_886  # any number that is ours: one process makes the tables at a time


class ProcrastinateEngine:
    """Delivers wake-ups through Procrastinate on the database of the threads.

    Args:
        database_url: the runtime's own `database_url`; PostgreSQL.
        queue: the name of Procrastinate's queue; runtimes that share a queue share their work.

    Raises:
        ValidationError: the URL is not PostgreSQL's, or Procrastinate is not installed.
    """

    def __init__(self, database_url: str, *, queue: str = "agent_core") -> None:
        url = make_url(database_url)
        if url.get_backend_name() != "postgresql":
            raise ValidationError("Procrastinate works on PostgreSQL; give the URL of such a database.")
        try:
            import procrastinate
        except ImportError as error:
            raise ValidationError("Procrastinate is not installed: pip install procrastinate.") from error
        self._library: Any = procrastinate
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._queue = queue

    def defer(self, tx: Tx, key: str, run_at: float | None) -> None:
        """Write the job in the caller's transaction; see `Engine.defer`."""
        tx.do(_DEFER, queue=self._queue, task=_TASK, args=dump({"key": key}), run_at=run_at)

    def prepare(self) -> None:
        """Make Procrastinate's tables where they are not there yet; blocks."""
        import psycopg

        # Its schema is one script of several statements; the lock and the script are one transaction.
        with psycopg.connect(self._conninfo) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            found = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
            if found == (None,):
                connection.execute(self._library.schema.SchemaManager.get_schema())

    async def run(self, deliver: Deliver, concurrency: int) -> None:
        """Work on the queue until cancelled; see `Engine.run`."""
        async with self._opened(concurrency) as app:
            app.task(name=_TASK, queue=self._queue)(deliver)
            sweeping = asyncio.create_task(self._sweep(app))
            try:
                await app.run_worker_async(
                    queues=[self._queue],
                    concurrency=concurrency,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    fetch_job_polling_interval=1.0,
                    update_heartbeat_interval=_HEARTBEAT,
                    stalled_worker_timeout=_STALLED,
                    shutdown_graceful_timeout=0,
                )
            finally:
                sweeping.cancel()

    @contextlib.asynccontextmanager
    async def _opened(self, concurrency: int) -> AsyncGenerator[Any]:
        connector = self._library.PsycopgConnector(conninfo=self._conninfo, min_size=2, max_size=4)
        app = self._library.App(connector=connector)
        try:
            async with app.open_async():
                yield app
        finally:
            # Also of one that was cancelled while it opened: the tasks of psycopg's pool take a cancellation
            # for a failed attempt, and would keep the event loop from ending.
            await app.close_async()

    async def _sweep(self, app: Any) -> None:
        """Remove the jobs of dead workers: the wake-up row itself comes due again, not the job."""
        while True:
            await asyncio.sleep(_SWEEP)
            try:
                for job in await app.job_manager.get_stalled_jobs(
                    queue=self._queue, seconds_since_heartbeat=_STALLED
                ):
                    await app.job_manager.finish_job(
                        job, status=self._library.jobs.Status.FAILED, delete_job=True
                    )
            except Exception:
                _log.warning("Procrastinate's stalled jobs could not be removed.", exc_info=True)
