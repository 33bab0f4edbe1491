"""The newest threads, read once for all tabs and handed on when they changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from agent_core import AgentApi
from agent_core.errors import AgentCoreError
from chat_app.session.per_user import PerUser
from chat_app.thread_list.list_cache import BATCH, Shelf
from chat_app.thread_list.list_patch import Window
from chat_app.thread_list.thread_views import ThreadItem

logger = logging.getLogger(__name__)

_READ_INTERVAL = 0.25
"""The least time between two readings, in seconds: a running thread changes ten times a second."""
_READ_SHARE = 10
"""A pause is at least so many times as long as the reading before it took."""


class Feed:
    """One reader of the thread list for every tab of this process.

    Args:
        api: whose threads.
        archived: the archived ones instead of the others.
        always: read them also while nobody watches, so that they are there at once. Nobody watches the
            archive all the time: it is not.

    Attributes:
        version: how often the list has changed; 0 before it was read.
        pinned: the pinned threads; of the archive none stand first.
        newest: the others, newest activity first, as many as the longest window shows.
        more: whether there are others beyond those.
    """

    def __init__(self, api: AgentApi, *, archived: bool = False, always: bool | None = None) -> None:
        self.version = 0
        self.pinned: list[ThreadItem] = []
        self.newest: list[ThreadItem] = []
        self.more = False
        self._api = api
        self._archived = archived
        self._always = not archived if always is None else always
        self._watching: list[Window] = []  # one that is watched twice stands in it twice
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._changes: frozenset[str] | None = None  # not read yet; None: anything may have changed
        self._shelf = Shelf(api, archived)
        self._depth = 0

    @property
    def is_watched(self) -> bool:
        """Whether a tab shows it."""
        return bool(self._watching)

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
            if self._changes is None or self._changes or self._depth < window.limit:
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
        async for names in self._api.changes():
            begun = time.monotonic()
            self._changes = _together(self._changes, names)
            if self._watching or self._always:
                try:
                    await self._read()
                except AgentCoreError:
                    logger.exception("Could not read the thread list; retrying at the next change")
            await asyncio.sleep(max(_READ_INTERVAL, _READ_SHARE * (time.monotonic() - begun)))

    async def _read(self) -> None:
        """Read what has changed, and as far as the longest window shows; or all of it anew."""
        async with self._reading:
            names, self._changes = self._changes, frozenset()
            depth = max((window.limit for window in self._watching), default=Window.PAGE)
            try:
                if names is None or len(self._shelf) > depth + BATCH:  # others have left who went farther
                    self._shelf = Shelf(self._api, self._archived)
                    await self._shelf.begin()
                else:
                    await self._shelf.renew(names)
                await self._shelf.reach(depth + 1)
            except BaseException:
                self._changes = _together(self._changes, names)
                raise
            self._depth = depth
            more = self._shelf.more or len(self._shelf) > depth
            self._publish(self._shelf.pinned(), self._shelf.newest(depth), more)

    def _publish(self, pinned: list[ThreadItem], newest: list[ThreadItem], more: bool) -> None:
        if self.version and (pinned, newest, more) == (self.pinned, self.newest, self.more):
            return
        self.pinned, self.newest, self.more = pinned, newest, more
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()


FEED = PerUser(lambda api, everybody: Feed(api, always=everybody))
"""The threads of each person."""
ARCHIVE = PerUser(lambda api, _: Feed(api, archived=True))
"""Their archived threads."""


def _together(before: frozenset[str] | None, names: frozenset[str] | None) -> frozenset[str] | None:
    """Return what may have changed in all; None: anything, or so much that all is read as quickly."""
    if before is None or names is None or len(before) + len(names) > BATCH:
        return None
    return before | names
