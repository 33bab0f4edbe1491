"""The newest threads, read once for all tabs and handed on when they changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from agent_core import AgentApi
from agent_core.errors import AgentCoreError
from chat_app.state.listing import thread_item
from chat_app.state.view import ThreadItem
from chat_app.state.window import Window

logger = logging.getLogger(__name__)

MOST = 1000
"""How many pinned threads, and how many that wait for somebody, are looked for at the most."""
PAUSE = 0.25
"""The least time between two readings, in seconds: a running thread changes ten times a second."""
SHARE = 10
"""A pause is at least so many times as long as the reading before it took."""


class Feed:
    """One reader of the thread list for every tab of this process.

    Args:
        api: whose threads.
        archived: the archived ones instead of the others. Nobody watches them all the time, so they
            are read only while somebody does.

    Attributes:
        version: how often the list has changed; 0 before it was read.
        pinned: the pinned threads; of the archive none stand first.
        newest: the others, newest activity first, as many as the longest window shows.
        more: whether there are others beyond those.
    """

    def __init__(self, api: AgentApi, *, archived: bool = False) -> None:
        self.version = 0
        self.pinned: list[ThreadItem] = []
        self.newest: list[ThreadItem] = []
        self.more = False
        self._api = api
        self._archived = archived
        self._watching: list[Window] = []  # one that is watched twice stands in it twice
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._stale = True
        self._depth = 0

    async def after(self, version: int) -> int:
        """Wait until the list is newer than `version`; return its version."""
        while self.version <= version:
            await self._changed.wait()
        return self.version

    @contextmanager
    def watched(self, window: Window) -> Iterator[None]:
        """Read as much as `window` shows for as long as it is watched."""
        self._watching.append(window)
        try:
            yield
        finally:
            self._watching.remove(window)

    async def reach(self, window: Window) -> None:
        """Wait until as much has been read as `window` shows."""
        with self.watched(window):
            if self._stale or self._depth < window.limit:
                await self._read()

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
            begun = time.monotonic()
            self._stale = True
            if self._watching or not self._archived:
                try:
                    await self._read()
                except AgentCoreError:
                    logger.exception("The thread list could not be read; the next change tries again")
            await asyncio.sleep(max(PAUSE, SHARE * (time.monotonic() - begun)))

    async def _read(self) -> None:
        async with self._reading:
            self._stale = False
            depth = max((window.limit for window in self._watching), default=Window.PAGE)
            try:
                found = await self._find(depth)
            except BaseException:
                self._stale = True
                raise
            self._depth = depth
            self._publish(*found)

    async def _find(self, depth: int) -> tuple[list[ThreadItem], list[ThreadItem], bool]:
        if self._archived:
            pinned, unpinned = [], None
        else:
            pinned, unpinned = await self._api.list_threads(MOST, pinned=True), False
        newest = await self._api.list_threads(depth + 1, pinned=unpinned, archived=self._archived)
        waiting = set[str]()
        if any(thread.status == "awaiting_tool_results" for thread in (*pinned, *newest)):
            waiting = {thread.id for thread in await self._api.list_threads(MOST, waiting=True)}
        rows = [[thread_item(thread, thread.id in waiting) for thread in some] for some in (pinned, newest)]
        return rows[0], rows[1][:depth], len(newest) > depth

    def _publish(self, pinned: list[ThreadItem], newest: list[ThreadItem], more: bool) -> None:
        if self.version and (pinned, newest, more) == (self.pinned, self.newest, self.more):
            return
        self.pinned, self.newest, self.more = pinned, newest, more
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()
