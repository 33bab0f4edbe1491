"""Check whether a process can do its work."""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlmodel import Session

from agent_core.runtime import Runtime

_TIMEOUT = 2.0  # seconds that the database has to answer


class ReadyCheck:
    """Checks the database, the change listener and the worker's lease heartbeat of an open runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._ping: asyncio.Task[None] | None = None

    async def problems(self) -> dict[str, str]:
        """Return what fails, by name: "database", "listener", "worker"; empty if the process is ready."""
        store, worker = self._runtime.store, self._runtime.worker
        found: dict[str, str] = {}
        if not await self._answers():
            found["database"] = f"did not answer within {_TIMEOUT:g} s"
        if not store.is_listening:
            found["listener"] = "not connected; changes by other processes are noticed late"
        if worker is not None and worker.is_draining:
            found["worker"] = "draining; it takes no more work"
        elif worker is not None and worker.heartbeat_age > store.settings.lease:
            found["worker"] = f"last extended its leases {worker.heartbeat_age:.0f} s ago"
        return found

    async def _answers(self) -> bool:
        """Return whether the database answers; requests share one question, however many there are."""
        if self._ping is None or self._ping.done():
            self._ping = asyncio.create_task(self._runtime.store.read(_ping))
            self._ping.add_done_callback(_note)
        try:
            await asyncio.wait_for(asyncio.shield(self._ping), _TIMEOUT)
        except Exception:  # it was too slow, or the database refused
            return False
        return True


def _ping(session: Session) -> None:
    session.connection().execute(text("SELECT 1")).scalar()


def _note(task: asyncio.Task[None]) -> None:
    """Retrieve a late exception, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()
