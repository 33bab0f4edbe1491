"""Cache of a list of threads, read page by page and updated as single threads change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from agent_core import AgentApi, Thread
from chat_app.thread_list.thread_views import ThreadItem, thread_item

_MAX_ENTRIES = 1000
"""Maximum number of pinned threads that are read."""
BATCH = 500
"""Maximum number of threads per query."""
_RUNNING = ("streaming", "awaiting_tool_results")
_CachedRows = dict[str, tuple[tuple[datetime, str], ThreadItem]]


class ListCache:
    """Cached beginning of a list: all threads down to the last one that was read.

    The cost of a read depends on the size of the page or of the change, not on the length of the list.

    Args:
        api: the API of the user whose threads are listed.
        archived: cache the archived threads, none of which is pinned.

    Attributes:
        more: whether there may be threads after the last one that was read.
    """

    def __init__(self, api: AgentApi, archived: bool) -> None:
        self.more = True
        self._api = api
        self._archived = archived
        self._pinned: _CachedRows = {}
        self._others: _CachedRows = {}
        self._running: set[str] = set()
        self._end: Thread | None = None  # the last thread that was read; the next page begins after it

    def __len__(self) -> int:
        """Return the number of cached threads, not counting the pinned ones."""
        return len(self._others)

    def pinned(self) -> list[ThreadItem]:
        """Return the pinned threads, newest activity first."""
        return _sorted(self._pinned)

    def newest(self, count: int) -> list[ThreadItem]:
        """Return the first `count` unpinned threads, newest activity first."""
        return _sorted(self._others)[:count]

    async def read_pinned(self) -> None:
        """Read the pinned threads."""
        if not self._archived:
            await self._put(await self._api.list_threads(_MAX_ENTRIES, pinned=True))

    async def extend(self, count: int) -> None:
        """Read further pages until `count` unpinned threads are cached or the list ends."""
        unpinned = None if self._archived else False
        while self.more and len(self) < count:
            size, before = min(BATCH, count - len(self)), len(self)
            found = await self._api.list_threads(
                size, cursor=self._end, pinned=unpinned, archived=self._archived
            )
            await self._put(found)
            self.more = len(found) == size
            self._end = found[-1] if found else self._end
            if self.more and len(self) == before:
                return  # every thread found was cached already; the next change brings those that moved

    async def refresh(self, names: Collection[str]) -> None:
        """Read changed threads again, and the running ones, which move up without a notification."""
        names = sorted(self._running.union(names))
        for first in range(0, len(names), BATCH):
            some = names[first : first + BATCH]
            found = await self._api.list_threads(len(some), among=some, archived=self._archived)
            await self._put([each for each in found if each.pinned or self._covers(each)], instead_of=some)

    def _covers(self, thread: Thread) -> bool:
        return not self.more or (self._end is not None and _sort_key(thread) >= _sort_key(self._end))

    async def _put(self, threads: Sequence[Thread], instead_of: Collection[str] = ()) -> None:
        """Cache threads and remove those of `instead_of` that were not found.

        Every read precedes the first change, so that a cancelled call leaves the cache unchanged.
        """
        asking = [thread.id for thread in threads if thread.status == "awaiting_tool_results"]
        waiting = set[str]()
        if asking:
            found = await self._api.list_threads(len(asking), among=asking, waiting=True)
            waiting = {thread.id for thread in found}
        for name in instead_of:
            self._pinned.pop(name, None)
            self._others.pop(name, None)
            self._running.discard(name)
        for thread in threads:
            row = _sort_key(thread), thread_item(thread, thread.id in waiting)
            (self._pinned if thread.pinned and not self._archived else self._others)[thread.id] = row
            if thread.status in _RUNNING:
                self._running.add(thread.id)


def _sort_key(thread: Thread) -> tuple[datetime, str]:
    return thread.updated_at, thread.id


def _sorted(rows: _CachedRows) -> list[ThreadItem]:
    return [item for _, item in sorted(rows.values(), key=lambda row: row[0], reverse=True)]
