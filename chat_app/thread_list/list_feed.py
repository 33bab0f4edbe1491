"""The newest threads of a user, read once for all of their tabs."""

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
"""A pause is at least so many times as long as the reading before it took."""


class ListFeed(UserList):
    """One reader of the thread list for every tab of a user; its viewers are the tabs' windows.

    Args:
        api: as the user calls it.
        archived: the archived threads instead of the others.
        always: read them also while no tab shows them, so that they are there at once; by default all
            threads but the archived ones.

    Attributes:
        pinned: the pinned threads; the archive pins none.
        newest: the others, newest activity first, as many as the longest window shows.
        more: whether there are others beyond those.
    """

    def __init__(self, api: AgentApi, *, archived: bool = False, always: bool | None = None) -> None:
        super().__init__(api)
        self.pinned: list[ThreadItem] = []
        self.newest: list[ThreadItem] = []
        self.more = False
        self._archived = archived
        self._always = not archived if always is None else always
        self._reading = asyncio.Lock()
        self._changes: frozenset[str] | None = None  # not read yet; None: anything may have changed
        self._cache = ListCache(api, archived)
        self._depth = 0

    async def reach(self, window: ListWindow) -> None:
        """Wait until as much has been read as `window` shows."""
        with self.watched(window):
            if self._changes is None or self._changes or self._depth < window.limit:
                await self._read()

    async def follow(self) -> None:
        """Read what has changed, as often as it may be read, until cancelled."""
        async for names in self._api.changes():
            begun = time.monotonic()
            self._changes = _together(self._changes, names)
            if self.is_watched or self._always:
                try:
                    await self._read()
                except AgentCoreError:
                    _log.exception("Could not read the thread list; retrying at the next change")
            await asyncio.sleep(max(READ_INTERVAL, _READ_SHARE * (time.monotonic() - begun)))

    async def _read(self) -> None:
        """Read what has changed, and as far as the longest window shows; or all of it anew."""
        async with self._reading:
            names, self._changes = self._changes, frozenset()
            depth = max((window.limit for window in self._viewers), default=ListWindow.PAGE)
            try:
                if names is None or len(self._cache) > depth + BATCH:  # others have left who went farther
                    self._cache = ListCache(self._api, self._archived)
                    await self._cache.begin()
                else:
                    await self._cache.renew(names)
                await self._cache.reach(depth + 1)
            except BaseException:
                self._changes = _together(self._changes, names)
                raise
            self._depth = depth
            more = self._cache.more or len(self._cache) > depth
            self._publish(pinned=self._cache.pinned(), newest=self._cache.newest(depth), more=more)


THREADS = ListKind(lambda api, everybody: ListFeed(api, always=everybody))
"""The threads of each user."""
ARCHIVE = ListKind(lambda api, _: ListFeed(api, archived=True))
"""Their archived threads."""


def _together(before: frozenset[str] | None, names: frozenset[str] | None) -> frozenset[str] | None:
    """Return what may have changed in all; None: anything, or so much that all is read as quickly."""
    if before is None or names is None or len(before) + len(names) > BATCH:
        return None
    return before | names
