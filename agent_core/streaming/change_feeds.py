"""Feeds: who follows which thread, told that there is something new, and reading it once for all.

Being told is a hint: a reader that is told twice finds nothing the second time, and one that was
not told in time finds everything at its next look. What is read is rows, by cursor; a hundred
readers of one thread share one read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Generator

from agent_core.domain.messages import Update

_MAX_UPDATES = 256  # updates of a thread that a slow reader may be behind before it reads by itself
Read = Callable[[str, int], list[Update] | None]


class Tail:
    """The newest updates of one thread, read once for all who follow it.

    Args:
        name: the thread's id.
        read: returns the updates after a cursor, or None where only a snapshot will do; blocks.
    """

    def __init__(self, name: str, read: Read) -> None:
        self._name = name
        self._read = read
        self._updates: deque[Update] = deque()
        self._base = -1  # the cursor that the oldest update kept here follows
        self._end = -1
        self._version = -1
        self._lock = asyncio.Lock()

    async def after(self, cursor: int, version: int) -> list[Update] | None:
        """Return what followed `cursor`; `version` says how often the feed had been told by then."""
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


class Feed:
    """One name that can be followed: a thread's id, or one of `store.rows`."""

    def __init__(self, name: str, read: Read) -> None:
        self.version = 0
        self.tail = Tail(name, read)
        self.readers: set[Reader] = set()

    def tell(self, touched: Collection[str] | None) -> None:
        """Tell the readers that there may be something new, in these feeds; None: in any."""
        self.version += 1
        for reader in self.readers:
            reader.hear(touched)


class Reader:
    """One reader of one feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._event = asyncio.Event()
        self._seen = feed.version
        self._touched: set[str] | None = None  # before the first look nothing is known

    def hear(self, touched: Collection[str] | None) -> None:
        """Be told that there may be something new, in these feeds; None: in any."""
        if touched is None:
            self._touched = None
        elif self._touched is not None:
            self._touched.update(touched)
        self._event.set()

    def look(self) -> Collection[str] | None:
        """Begin to look: what is told from here on will wake `wait`.

        Returns the feeds that were touched together with this one since the look before; None: any may be.
        """
        touched, self._touched = self._touched, set()
        self._event.clear()
        self._seen = self._feed.version
        return touched

    async def updates(self, cursor: int) -> list[Update] | None:
        """Return what followed `cursor` when `look` was called, or more; None: take a snapshot."""
        return await self._feed.tail.after(cursor, self._seen)

    async def wait(self) -> None:
        """Wait until there may be something new."""
        await self._event.wait()


class Feeds:
    """The feeds that somebody in this process follows.

    Args:
        read: returns the updates of a thread after a cursor; called in a thread.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._feeds: dict[str, Feed] = {}
        self._closed = False

    @contextlib.contextmanager
    def follow(self, name: str) -> Generator[Reader]:
        """Follow a feed until the block is left."""
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = Feed(name, self._read)
        reader = Reader(feed)
        feed.readers.add(reader)
        try:
            yield reader
        finally:
            feed.readers.discard(reader)
            if not feed.readers and self._feeds.get(name) is feed:
                del self._feeds[name]

    def tell(self, names: Collection[str]) -> None:
        """Tell the readers of these feeds."""
        for name in names:
            if (feed := self._feeds.get(name)) is not None:
                feed.tell(names)

    def tell_all(self) -> None:
        """Tell everybody: another process has committed something."""
        for feed in self._feeds.values():
            feed.tell(None)

    @property
    def closed(self) -> bool:
        """Whether the runtime is closing, so that readers should leave."""
        return self._closed

    def close(self) -> None:
        """Tell everybody to leave."""
        self._closed = True
        self.tell_all()
