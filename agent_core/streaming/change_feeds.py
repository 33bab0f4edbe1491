"""Notify the readers of a thread of changes, and share one read of the new rows among them.

A notification is a hint: after a second one a reader finds nothing new, and after a lost one it finds
everything at its next read. Rows are read by cursor; a hundred readers of one thread share one read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Generator

from agent_core.domain.messages import Update

_MAX_UPDATES = 256  # updates kept for slow readers; a reader further behind reads the rows itself
Read = Callable[[str, int], list[Update] | None]


class _Tail:
    """Cache of the newest updates of one thread, shared by its readers.

    `read` blocks, and returns the updates after a cursor, or None if a snapshot is needed.
    """

    def __init__(self, name: str, read: Read) -> None:
        self._name = name
        self._read = read
        self._updates: deque[Update] = deque()
        self._base = -1  # the cursor before the oldest cached update
        self._end = -1
        self._version = -1
        self._lock = asyncio.Lock()

    async def after(self, cursor: int, version: int) -> list[Update] | None:
        """Return the updates after `cursor`; `version` is the number of notifications of the feed by then."""
        async with self._lock:
            if self._base < 0:
                self._base = self._end = cursor
            if version != self._version and not await self._catch_up(version):
                return None
            if self._base <= cursor <= self._end:
                return [update for update in self._updates if update.cursor > cursor]
        return await asyncio.to_thread(self._read, self._name, cursor)

    async def _catch_up(self, version: int) -> bool:
        new = await asyncio.to_thread(self._read, self._name, self._end)
        if new is None:
            self._updates.clear()
            self._base = self._end = -1
            return False
        self._updates.extend(new)
        self._version = version
        if new:
            self._end = new[-1].cursor
        while len(self._updates) > _MAX_UPDATES:
            self._base = self._updates.popleft().cursor
        return True


class _ChangeFeed:
    """Feed of changes, named by the id of a thread or by a constant of the store."""

    def __init__(self, name: str, read: Read) -> None:
        self.version = 0
        self.tail = _Tail(name, read)
        self.readers: set[_FeedReader] = set()

    def notify(self, touched: Collection[str] | None) -> None:
        """Notify the readers of a change in the touched feeds; None: in any feed."""
        self.version += 1
        for reader in self.readers:
            reader.receive(touched)


class _FeedReader:
    """Reader of one feed."""

    def __init__(self, feed: _ChangeFeed) -> None:
        self._feed = feed
        self._event = asyncio.Event()
        self._seen = feed.version
        self._touched: set[str] | None = None  # None until the first read: any feed may have changed

    def receive(self, touched: Collection[str] | None) -> None:
        """Receive a notification of a change in the touched feeds; None: in any feed."""
        if touched is None:
            self._touched = None
        elif self._touched is not None:
            self._touched.update(touched)
        self._event.set()

    def start_read(self) -> Collection[str] | None:
        """Start a read: later notifications will wake `wait`.

        Returns the feeds that were touched together with this one since the previous call; None: any feed.
        """
        touched, self._touched = self._touched, set()
        self._event.clear()
        self._seen = self._feed.version
        return touched

    async def updates(self, cursor: int) -> list[Update] | None:
        """Return the updates after `cursor`, at least those by the last `start_read`; None: take a snapshot."""
        return await self._feed.tail.after(cursor, self._seen)

    async def wait(self) -> None:
        """Wait for a notification."""
        await self._event.wait()


class ChangeFeeds:
    """Feeds with readers in this process; `read` returns a thread's updates after a cursor, in a thread."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._feeds: dict[str, _ChangeFeed] = {}
        self.closed = False
        """Whether the runtime is closing, so that readers should leave."""

    @contextlib.contextmanager
    def follow(self, name: str) -> Generator[_FeedReader]:
        """Follow a feed until the block is left."""
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = _ChangeFeed(name, self._read)
        reader = _FeedReader(feed)
        feed.readers.add(reader)
        try:
            yield reader
        finally:
            feed.readers.discard(reader)
            if not feed.readers and self._feeds.get(name) is feed:
                del self._feeds[name]

    def notify(self, names: Collection[str]) -> None:
        """Notify the readers of some feeds."""
        for name in names:
            if (feed := self._feeds.get(name)) is not None:
                feed.notify(names)

    def notify_all(self) -> None:
        """Notify all readers: another process has committed."""
        for feed in self._feeds.values():
            feed.notify(None)

    def close(self) -> None:
        """Close the feeds and wake all readers."""
        self.closed = True
        self.notify_all()
