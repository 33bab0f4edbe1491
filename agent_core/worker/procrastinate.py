"""Use Procrastinate (https://procrastinate.readthedocs.io) as the engine of `create_workpool_bridge`.

It needs only the PostgreSQL database of the threads. A wake-up is deferred with Procrastinate's SQL function
on our connection, so it is committed with the state it belongs to, or not at all.
"""

# The library is optional:
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from sqlalchemy import text

from agent_core.errors import ValidationError
from agent_core.store.database.open import SERVER_TIMEOUTS, parse_url
from agent_core.store.database.sql import Statement, dump
from agent_core.store.database.transaction import Tx
from agent_core.support.logs import get_logger
from agent_core.worker.bridge import Deliver

_log = get_logger(__name__)
_TASK = "agent_core.look"
_HEARTBEAT_INTERVAL, _STALLED_TIMEOUT, _CLEANUP_INTERVAL = 2.0, 10.0, 5.0  # seconds
_DEFER = Statement(
    text(
        "SELECT procrastinate_defer_jobs_v1(ARRAY[CAST(ROW(:queue, :task, 0, NULL, NULL, CAST(:args AS jsonb), "
        "to_timestamp(CAST(:run_at AS double precision))) AS procrastinate_job_to_defer_v1)])"
    )
)
_LOCK = 7_236_401_886  # an arbitrary number: one process creates the tables at a time


class ProcrastinateEngine:
    """Delivers wake-ups through Procrastinate on the database of the threads.

    Args:
        database_url: the runtime's `database_url`; PostgreSQL.
        queue: the name of Procrastinate's queue; runtimes that share a queue share their work.

    Raises:
        ValidationError: the URL is not PostgreSQL's, or Procrastinate is not installed.
    """

    def __init__(self, database_url: str, *, queue: str = "agent_core") -> None:
        url = parse_url(database_url)
        if url.get_backend_name() != "postgresql":
            raise ValidationError("Procrastinate works on PostgreSQL; give the URL of such a database.")
        try:
            import procrastinate
        except ImportError as error:
            raise ValidationError(
                'Procrastinate is not installed: pip install "reflex-durable-agents[procrastinate]"'
            ) from error
        self._library: Any = procrastinate
        timeouts = {name: str(value) for name, value in SERVER_TIMEOUTS.items() if name not in url.query}
        url = url.set(drivername="postgresql").update_query_dict(timeouts)
        self._conninfo = url.render_as_string(hide_password=False)
        self._queue = queue

    def defer(self, tx: Tx, key: str, run_at: float | None) -> None:
        """Write the job in the caller's transaction; see `Engine.defer`."""
        tx.do(_DEFER, queue=self._queue, task=_TASK, args=dump({"key": key}), run_at=run_at)

    def prepare(self) -> None:
        """Create Procrastinate's tables, unless they exist; blocks."""
        import psycopg

        # The lock and the schema, a script of several statements, are one transaction.
        with psycopg.connect(self._conninfo) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            found = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
            if found == (None,):
                connection.execute(self._library.schema.SchemaManager.get_schema())

    async def run(self, deliver: Deliver, concurrency: int) -> None:
        """Work on the queue until cancelled; see `Engine.run`."""

        async def look(key: str) -> None:  # called with the job's arguments by name
            await deliver(key)

        async with self._opened(concurrency) as app:
            app.task(name=_TASK, queue=self._queue)(look)
            cleanup = asyncio.create_task(self._remove_stalled(app))
            try:
                await app.run_worker_async(
                    queues=[self._queue],
                    concurrency=concurrency,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    fetch_job_polling_interval=1.0,
                    update_heartbeat_interval=_HEARTBEAT_INTERVAL,
                    stalled_worker_timeout=_STALLED_TIMEOUT,
                    shutdown_graceful_timeout=0,
                )
            finally:
                cleanup.cancel()

    @contextlib.asynccontextmanager
    async def _opened(self, concurrency: int) -> AsyncGenerator[Any]:
        connector = self._library.PsycopgConnector(conninfo=self._conninfo, min_size=2, max_size=4)
        app = self._library.App(connector=connector)
        try:
            async with app.open_async():
                yield app
        finally:
            # Also after a cancellation during `open_async`: the tasks of psycopg's pool take that for a failed
            # attempt and would keep the event loop alive.
            await app.close_async()

    async def _remove_stalled(self, app: Any) -> None:
        """Remove the jobs of dead workers; the wake-up rows come due again by themselves."""
        while True:
            await asyncio.sleep(_CLEANUP_INTERVAL)
            try:
                for job in await app.job_manager.get_stalled_jobs(
                    queue=self._queue, seconds_since_heartbeat=_STALLED_TIMEOUT
                ):
                    await app.job_manager.finish_job(
                        job, status=self._library.jobs.Status.FAILED, delete_job=True
                    )
            except Exception:
                _log.warning(
                    "Removing Procrastinate's stalled jobs failed; the next round retries.", exc_info=True
                )
