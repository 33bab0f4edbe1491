"""A tab's connection to its server, which a test can delay like a slow network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, WebSocketRoute

from tests.support.browser.chat import Chat

SOCKET = re.compile(r"/_event/")
SCHEMA = re.compile(r'"state_schema":"\w+"')
"""Build id that a page sends (handled by Reflex's `handleStateMismatch`)."""


class Slow:
    """A connection that delays the page's messages while `held`, and passes on the server's messages.

    While `outdated`, the page claims as it connects that it is older than the server's pages.
    """

    def __init__(self, page: Page) -> None:
        self.held = self.outdated = False
        self.heard = 0  # number of messages from the server
        self._waiting: list[tuple[WebSocketRoute, str | bytes]] = []
        page.route_web_socket(SOCKET, self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def say(message: str | bytes) -> None:
            if self.outdated and isinstance(message, str):
                message, changed = SCHEMA.subn('"state_schema":"earlier"', message)
                self.outdated = not changed  # the reloaded page is the new one
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
        """The delayed messages, as text."""
        return "\n".join(str(message) for _, message in self._waiting)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Delay the page's messages during a block; deliver them in order afterwards."""
        self.held = True
        yield
        self.held = False
        for server, message in self._waiting:
            server.send(message)
        self._waiting.clear()

    def lose(self) -> None:
        """Drop the delayed messages, like a server that is killed before it reads them."""
        self.held = False
        self._waiting.clear()


def slow_tab(open_tab: Callable[..., Chat], path: str = "/") -> tuple[Chat, Slow]:
    """Open a tab whose connection the test can hold back."""
    tab = open_tab(path, fresh=True)
    slow = Slow(tab.page)
    tab.reload()
    assert slow.heard, "it does not go by here"
    return tab, slow
