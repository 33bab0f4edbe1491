"""Feeds: who follows which thread, told that there is something new to read.

A feed carries no data. A reader that is told reads the rows after its cursor; one that is told twice
finds nothing the second time; one that was not told in time finds everything at the next look.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable


class Feeds:
    """The readers of this process, by the name of the feed: a thread's id, or one of `store.rows`."""

    def __init__(self) -> None:
        self._readers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = False

    def open(self, name: str) -> asyncio.Event:
        """Begin to follow; the event is set whenever there may be something new."""
        event = asyncio.Event()
        if self._closed:
            event.set()
        self._readers[name].add(event)
        return event

    def leave(self, name: str, event: asyncio.Event) -> None:
        """End following."""
        readers = self._readers.get(name)
        if readers is not None:
            readers.discard(event)
            if not readers:
                del self._readers[name]

    def tell(self, names: Iterable[str]) -> None:
        """Tell the readers of these feeds."""
        for name in names:
            for event in self._readers.get(name, ()):
                event.set()

    def tell_all(self) -> None:
        """Tell everybody: another process has committed something."""
        for readers in self._readers.values():
            for event in readers:
                event.set()

    @property
    def closed(self) -> bool:
        """Whether the runtime is closing, so that readers should leave."""
        return self._closed

    def close(self) -> None:
        """Tell everybody to leave."""
        self._closed = True
        self.tell_all()
