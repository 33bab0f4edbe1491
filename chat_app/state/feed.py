"""The newest threads, read once for all tabs and handed on when they changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from agent_core import AgentApi, Thread
from agent_core.errors import AgentCoreError
from chat_app.state.present import thread_item
from chat_app.state.view import ThreadItem

logger = logging.getLogger(__name__)

SHOWN = 100
"""How many threads the list shows."""
PAUSE = 0.25
"""The least time between two readings, in seconds: a running thread changes ten times a second."""


def rows(threads: Iterable[Thread]) -> list[ThreadItem]:
    """Return the rows of threads, newest activity first; threads active in the same minute keep their places."""
    return sorted(map(thread_item, threads), key=lambda item: (item.at, item.id), reverse=True)


class Feed:
    """One reader of the thread list for every tab of this process."""

    def __init__(self) -> None:
        self.version = 0
        self.items: list[ThreadItem] = []
        self._changed = asyncio.Event()

    async def after(self, version: int) -> int:
        """Wait until the list is newer than `version`; return its version."""
        while self.version == version:
            await self._changed.wait()
        return self.version

    @asynccontextmanager
    async def following(self, api: AgentApi) -> AsyncIterator[None]:
        """Keep the list up to date while open."""
        task = asyncio.create_task(self._run(api))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self, api: AgentApi) -> None:
        async for _ in api.changes():
            try:
                self._publish(rows(await api.list_threads(limit=SHOWN)))
            except AgentCoreError:
                logger.exception("The thread list could not be read; the next change tries again")
            await asyncio.sleep(PAUSE)

    def _publish(self, items: list[ThreadItem]) -> None:
        if items == self.items and self.version:
            return
        self.items = items
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()
