"""Feeds: who follows which thread, told that there is something new to read.

A feed carries no data. A reader that is told reads the rows after its cursor; one that is told twice
finds nothing the second time; one that was not told in time finds everything at the next look.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

ALL = ""
"""The feed of everything, for readers of the thread list."""


class Feeds:
    """The readers of this process, by thread id."""

    def __init__(self) -> None:
        self._readers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = False

    def open(self, thread_id: str) -> asyncio.Event:
        """Begin to follow a thread; the event is set whenever there may be something new."""
        event = asyncio.Event()
        if self._closed:
            event.set()
        self._readers[thread_id].add(event)
        return event

    def leave(self, thread_id: str, event: asyncio.Event) -> None:
        """End following."""
        readers = self._readers.get(thread_id)
        if readers is not None:
            readers.discard(event)
            if not readers:
                del self._readers[thread_id]

    def tell(self, thread_ids: Iterable[str]) -> None:
        """Tell the readers of these threads, and those of the list."""
        for thread_id in (*thread_ids, ALL):
            for event in self._readers.get(thread_id, ()):
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
