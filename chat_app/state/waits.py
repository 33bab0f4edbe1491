"""What waits for the person in any thread, read once for all tabs and handed on when it changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from agent_core import AgentApi
from agent_core.errors import AgentCoreError
from chat_app.state.present import waiting_view
from chat_app.state.view import WaitingView

logger = logging.getLogger(__name__)

SHOWN = 100
"""How many there are shown; the next ones come up as these are decided."""
PAUSE = 0.25
"""The least time between two readings, in seconds: a running thread changes ten times a second."""


class Waits:
    """One reader of what waits, for every tab of this process."""

    def __init__(self) -> None:
        self.version = 0
        self.items: list[WaitingView] = []
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
                self._publish([waiting_view(call) for call in await api.list_waiting(SHOWN)])
            except AgentCoreError:
                logger.exception("What waits could not be read; the next change tries again")
            await asyncio.sleep(PAUSE)

    def _publish(self, items: list[WaitingView]) -> None:
        if items == self.items and self.version:
            return
        self.items = items
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()
