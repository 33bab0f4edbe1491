"""Feed of a user's newest threads, shared by the user's tabs."""

from __future__ import annotations

import asyncio
import logging
import time

from agent_core import AgentApi
from agent_core.errors import AgentCoreError
from chat_app.session.user_lists import READ_INTERVAL, ListKind, UserList
from chat_app.thread_list.list_cache import BATCH, ListCache
from chat_app.thread_list.list_patch import ListWindow
from chat_app.thread_list.thread_views import ThreadItem

_log = logging.getLogger(__name__)

_READ_SHARE = 10
"""Minimum pause after a read, as a multiple of the duration of that read."""


class ListFeed(UserList):
    """Reader of the thread list, shared by all tabs of a user; its viewers are the tabs' windows.

    Args:
        api: the API, called as the user.
        archived: read the archived threads instead of the others.
        always: read the list even while no tab shows it, so that a tab gets it at once; by default true
            unless `archived`.

    Attributes:
        pinned: the pinned threads; empty in the archive.
        newest: the other threads, newest activity first, as many as the longest window shows.
        more: whether there are further threads after those.
    """

    def __init__(self, api: AgentApi, *, archived: bool = False, always: bool | None = None) -> None:
        super().__init__(api)
        self.pinned: list[ThreadItem] = []
        self.newest: list[ThreadItem] = []
        self.more = False
        self._archived = archived
        self._always = not archived if always is None else always
        self._reading = asyncio.Lock()
        self._changes: frozenset[str] | None = None  # not read yet; None: any thread may have changed
        self._cache = ListCache(api, archived)
        self._depth = 0

    async def read_for(self, window: ListWindow) -> None:
        """Wait until all threads that `window` shows have been read."""
        with self.watched(window):
            if self._changes is None or self._changes or self._depth < window.limit:
                await self._read()

    async def follow(self) -> None:
        """Read changed threads, no more often than the pauses allow, until cancelled."""
        async for names in self._api.changes():
            begun = time.monotonic()
            self._changes = _union(self._changes, names)
            if self.is_watched or self._always:
                try:
                    await self._read()
                except AgentCoreError:
                    _log.exception("Could not read the thread list; retrying at the next change")
            await asyncio.sleep(max(READ_INTERVAL, _READ_SHARE * (time.monotonic() - begun)))

    async def _read(self) -> None:
        """Read the changed threads and those that the longest window lacks, or the whole list again."""
        async with self._reading:
            names, self._changes = self._changes, frozenset()
            depth = max((window.limit for window in self._viewers), default=ListWindow.PAGE)
            try:
                if names is None or len(self._cache) > depth + BATCH:  # a tab with a longer window has left
                    self._cache = ListCache(self._api, self._archived)
                    await self._cache.read_pinned()
                else:
                    await self._cache.refresh(names)
                await self._cache.extend(depth + 1)
            except BaseException:
                self._changes = _union(self._changes, names)
                raise
            self._depth = depth
            more = self._cache.more or len(self._cache) > depth
            self._publish(pinned=self._cache.pinned(), newest=self._cache.newest(depth), more=more)


THREADS = ListKind(lambda api, shared: ListFeed(api, always=shared))
"""Feeds of each user's threads."""
ARCHIVE = ListKind(lambda api, _: ListFeed(api, archived=True))
"""Feeds of each user's archived threads."""


def _union(before: frozenset[str] | None, names: frozenset[str] | None) -> frozenset[str] | None:
    """Return the union of two sets of changed threads; None for all threads.

    A union larger than a batch is None, too, as the whole list is read as quickly.
    """
    if before is None or names is None or len(before) + len(names) > BATCH:
        return None
    return before | names
