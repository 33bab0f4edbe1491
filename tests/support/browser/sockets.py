"""A tab's connection to its server, held back by a test as a slow network would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, WebSocketRoute

from tests.support.browser.chat import Chat

SOCKET = re.compile(r"/_event/")
SCHEMA = re.compile(r'"state_schema":"\w+"')
"""What a page says of its build (Reflex's `handleStateMismatch` answers)."""


class Slow:
    """What the page says to its server waits while `held`; what the server says arrives.

    While it is `outdated` it says of itself, as it connects, that it was built before the server's pages were.
    """

    def __init__(self, page: Page) -> None:
        self.held = self.outdated = False
        self.heard = 0  # what the server has said
        self._waiting: list[tuple[WebSocketRoute, str | bytes]] = []
        page.route_web_socket(SOCKET, self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def say(message: str | bytes) -> None:
            if self.outdated and isinstance(message, str):
                message, changed = SCHEMA.subn('"state_schema":"earlier"', message)
                self.outdated = not changed  # the page that it loads is the new one
            if self.held:
                self._waiting.append((server, message))
            else:
                server.send(message)

        socket.on_message(say)

        def hear(message: str | bytes) -> None:
            self.heard += 1
            socket.send(message)

        server.on_message(hear)

    @property
    def said(self) -> str:
        """What waits."""
        return "\n".join(str(message) for _, message in self._waiting)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold back what is said during a block; afterwards it arrives in order."""
        self.held = True
        yield
        self.held = False
        for server, message in self._waiting:
            server.send(message)
        self._waiting.clear()

    def lose(self) -> None:
        """Lose what waits, as a server does that is killed before it has read it."""
        self.held = False
        self._waiting.clear()


def slow_tab(open_tab: Callable[..., Chat], path: str = "/") -> tuple[Chat, Slow]:
    """Open a tab whose connection the test can hold back."""
    tab = open_tab(path)
    slow = Slow(tab.page)
    tab.reload()
    assert slow.heard, "it does not go by here"
    return tab, slow
