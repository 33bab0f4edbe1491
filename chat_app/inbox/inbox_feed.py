"""What waits for the person in any thread, read once for all tabs and handed on when it changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from agent_core import AgentApi
from agent_core.domain.messages import TOOL_PREFIX, Waiting
from agent_core.errors import AgentCoreError
from chat_app.plain_text import thread_title
from chat_app.session.per_user import PerUser
from chat_app.thread.message_views import Context, tool_view
from chat_app.thread.views import ToolView

logger = logging.getLogger(__name__)

_MAX_SHOWN = 100
"""How many there are shown; the next ones come up as these are decided."""
_READ_INTERVAL = 0.25
"""The least time between two readings, in seconds: a running thread changes ten times a second."""


@dataclass(frozen=True)
class WaitingView:
    """A tool call of some thread that waits for the person; `at` is since when, in seconds since the epoch."""

    thread_id: str
    title: str
    at: float
    tool: ToolView


class Waits:
    """One reader of what waits, for every tab of this process.

    Args:
        api: whose threads.
    """

    def __init__(self, api: AgentApi) -> None:
        self.version = 0
        self.items: list[WaitingView] = []
        self._api = api
        self._changed = asyncio.Event()
        self._watching = 0

    @property
    def is_watched(self) -> bool:
        """Whether a tab shows it."""
        return self._watching > 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Say that a tab shows the list for as long as this is open."""
        self._watching += 1
        try:
            yield
        finally:
            self._watching -= 1

    async def after(self, version: int) -> int:
        """Wait until the list is newer than `version`; return its version."""
        while self.version == version:
            await self._changed.wait()
        return self.version

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Keep the list up to date while open."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        async for _ in self._api.changes():
            try:
                self._publish([_waiting_view(call) for call in await self._api.list_waiting(_MAX_SHOWN)])
            except AgentCoreError:
                logger.exception("Could not read the inbox; retrying at the next change")
            await asyncio.sleep(_READ_INTERVAL)

    def _publish(self, items: list[WaitingView]) -> None:
        if items == self.items and self.version:
            return
        self.items = items
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()


WAITS = PerUser(lambda api, _: Waits(api))
"""What waits for each person."""


def _waiting_view(call: Waiting) -> WaitingView:
    """Return the row of a call that waits for the person, as its own thread shows it."""
    asks = call.kind == "approval"
    part = {
        "type": TOOL_PREFIX + call.name,
        "toolCallId": call.tool_call_id,
        "state": "approval-requested" if asks else "input-available",
        "input": call.input,
    }
    tool = tool_view(part, Context(is_async=lambda name: not asks))
    return WaitingView(call.thread_id, thread_title(call.title), call.since.timestamp(), tool)
