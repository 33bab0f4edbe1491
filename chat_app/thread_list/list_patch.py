"""One tab's part of a list of threads, and what its page has not been sent of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar, Protocol

from chat_app.thread_list.thread_views import ThreadItem, ThreadPatch


class _Rows(Protocol):
    """The list, as `ListFeed` has it: pinned threads, the newest others, and whether there are more."""

    pinned: list[ThreadItem]
    newest: list[ThreadItem]
    more: bool


class ListWindow:
    """What one tab shows of a list, from the newest thread on.

    A tab that has loaded thousands of rows is sent only those that changed. Patches are numbered, so
    that a page which missed one finds out and asks for all of it. Numbers begin with the time: a page
    never takes a new window's for those of the one before.

    Attributes:
        limit: how many threads it shows besides the pinned ones.
        number: of the newest patch.
    """

    PAGE: ClassVar[int] = 50
    """How many threads are loaded at once."""

    def __init__(self) -> None:
        self.limit = self.PAGE
        self.number = time.time_ns() // 1000
        self._sent: dict[str, ThreadItem] = {}
        self._more: bool | None = None

    def lengthen(self, shown: int) -> None:
        """Show a page more than the `shown` threads that a page has; asked twice, it is one page."""
        self.limit = max(self.limit, shown // self.PAGE * self.PAGE + self.PAGE)

    def reach(self, shown: int) -> None:
        """Show at least as many as a page has that was there before: it keeps its place."""
        self.limit = max(self.limit, -(-shown // self.PAGE) * self.PAGE)

    def forget(self) -> None:
        """Send everything with the next patch: the page is a new one, or has missed something."""
        self._sent, self._more = {}, None

    def doubt(self, thread_id: str) -> None:
        """Send a row again with the next patch: the page foresaw something that may not have come true."""
        self._sent.pop(thread_id, None)

    def patch(self, rows: _Rows) -> ThreadPatch | None:
        """Return what the page has not been sent; None if that is nothing."""
        wanted = {row.id: row for row in self._shown(rows)}
        more = rows.more or len(rows.newest) > self.limit
        changed = [row for row in wanted.values() if self._sent.get(row.id) != row]
        gone = [name for name in self._sent if name not in wanted]
        if not changed and not gone and more == self._more:
            return None
        whole = self._more is None
        base, self.number = (0 if whole else self.number), self.number + 1
        self._sent, self._more = wanted, more
        return ThreadPatch(base, self.number, changed, gone, more, self.limit)

    def _shown(self, rows: _Rows) -> Sequence[ThreadItem]:
        return [*rows.pinned, *rows.newest[: self.limit]]
