"""Which of the messages before the turn under way a page shows: the newest, or some that a link leads to."""

from __future__ import annotations

PAGE = 40
"""How many messages are shown at once, and how many more when the page is asked for more."""
BEFORE = 10
"""How many messages before one that a link leads to are shown with it."""
NEAR = 120
"""A link so many messages back shows all of them; from farther back it shows a page, and a gap."""


class MessageWindow:
    """The part of the messages that is shown, as places in the list of all.

    A page with thousands of messages takes a browser many seconds; so a link to an old message shows
    the messages around it and the turn under way, and a gap between them that can be filled.
    """

    def __init__(self) -> None:
        self._limit = PAGE
        self._far: tuple[int, int] | None = None

    def of(self, start: int) -> tuple[int, int]:
        """Return the first place that is shown and the one after the last; the turn begins at `start`."""
        if self._far and self._far[1] >= start:  # the gap is filled
            self._limit = max(self._limit, start - self._far[0])
            self._far = None
        return self._far or (max(0, start - self._limit), start)

    def earlier(self) -> None:
        """Show another page of earlier messages."""
        if self._far:
            self._far = (max(0, self._far[0] - PAGE), self._far[1])
        else:
            self._limit += PAGE

    def later(self) -> None:
        """Show another page of those in the gap."""
        if self._far:
            self._far = (self._far[0], self._far[1] + PAGE)

    def reach(self, place: int, start: int) -> None:
        """Show the message at `place`, with some before it."""
        first, end = self.of(start)
        if first <= place < end or place >= start:
            return
        if start - place <= NEAR:
            self._limit, self._far = start - place + BEFORE, None
        else:
            self._far = (max(0, place - BEFORE), place + PAGE - BEFORE)
