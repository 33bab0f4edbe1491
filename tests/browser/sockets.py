"""A tab's connection to its server, held back by a test as a slow network would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, WebSocketRoute

SOCKET = re.compile(r"/_event/")


class Slow:
    """What the page says to its server waits while `held`; what the server says arrives."""

    def __init__(self, page: Page) -> None:
        self.held = False
        self.heard = 0  # what the server has said
        self._waiting: list[tuple[WebSocketRoute, str | bytes]] = []
        page.route_web_socket(SOCKET, self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(
            lambda message: self._waiting.append((server, message)) if self.held else server.send(message)
        )

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
