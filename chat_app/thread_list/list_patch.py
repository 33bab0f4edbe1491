"""Window of one tab onto a list of threads, and the patches that update its page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar, Protocol

from chat_app.thread_list.thread_views import ThreadItem, ThreadPatch


class _ListRows(Protocol):
    """Rows of a list, as of `ListFeed`: pinned threads, the newest others, and whether there are more."""

    pinned: list[ThreadItem]
    newest: list[ThreadItem]
    more: bool


class ListWindow:
    """Part of a list that one tab shows, beginning with the newest thread.

    A tab that has loaded thousands of rows is sent only the changed ones. Patches are numbered, so that a
    page that missed one notices the gap and requests all rows. Numbers start at the current time, so that a
    page never mistakes a new window's patches for those of the previous window.

    Attributes:
        limit: maximum number of shown threads, not counting the pinned ones.
        number: number of the newest patch.
    """

    PAGE: ClassVar[int] = 50
    """Number of threads that are loaded at once."""

    def __init__(self) -> None:
        self.limit = self.PAGE
        self.number = time.time_ns() // 1000
        self._sent: dict[str, ThreadItem] = {}
        self._more: bool | None = None

    def extend(self, shown: int) -> None:
        """Show one page more than the `shown` threads; a repeated request adds no second page."""
        self.limit = max(self.limit, shown // self.PAGE * self.PAGE + self.PAGE)

    def restore(self, shown: int) -> None:
        """Show at least the `shown` threads of a page that reconnects, to keep its scroll position."""
        self.limit = max(self.limit, -(-shown // self.PAGE) * self.PAGE)

    def reset(self) -> None:
        """Send all rows with the next patch, because the page is new or missed a patch."""
        self._sent, self._more = {}, None

    def resend(self, thread_id: str) -> None:
        """Send a row again with the next patch, because the page's optimistic update may be wrong."""
        self._sent.pop(thread_id, None)

    def patch(self, rows: _ListRows) -> ThreadPatch | None:
        """Return the changes since the last patch; None if there are none."""
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

    def _shown(self, rows: _ListRows) -> Sequence[ThreadItem]:
        return [*rows.pinned, *rows.newest[: self.limit]]
