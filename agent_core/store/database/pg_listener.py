"""Listen for the commits of other processes, in a thread.

Notifications are hints. While the connection is lost, every feed counts as touched once a second, and once more
after the reconnection, because notifications that were sent meanwhile are lost. https://www.postgresql.org/docs/current/sql-notify.html
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

import psycopg

from agent_core.store.database.transaction import OnForeignCommit
from agent_core.support.logs import get_logger

CHANNEL = "agent_core"
_RECONNECT_INTERVAL = 1.0  # seconds between attempts to connect, each of which touches every feed
_log = get_logger(__name__)


class Listener:
    """Listens on a connection of its own.

    Args:
        connect: opens a connection.
        sender: this process's name in notifications; its own are ignored.
        on_foreign: called in the listener's thread with the touched feeds; None: any feed.
    """

    def __init__(
        self, connect: Callable[[], psycopg.Connection[Any]], sender: str, on_foreign: OnForeignCommit
    ) -> None:
        self._connect = connect
        self._sender = sender
        self._on_foreign = on_foreign
        self._thread = threading.Thread(target=self._main, name="agent_core-listener", daemon=True)
        self._inside, self._outside = socket.socketpair()  # a byte in it ends the thread
        self._closing = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close its connection."""
        self._closing.set()
        self._outside.send(b".")
        if self._thread.ident is not None:
            self._thread.join()
        self._inside.close()
        self._outside.close()

    def _main(self) -> None:
        while not self._closing.is_set():
            try:
                with contextlib.closing(self._connect()) as connection:
                    connection.autocommit = True
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._on_foreign(None)
                    self._listen(connection)
            except psycopg.Error as error:
                _log.warning(
                    "LISTEN connection lost; polling every %g s until it is back: %s",
                    _RECONNECT_INTERVAL,
                    error,
                )
                self._on_foreign(None)
                self._closing.wait(_RECONNECT_INTERVAL)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._inside, selectors.EVENT_READ)
            while not self._closing.is_set():
                selector.select()
                connection.pgconn.consume_input()
                while (notice := connection.pgconn.notifies()) is not None:
                    self._receive(notice.extra)

    def _receive(self, payload: bytes) -> None:
        try:
            sender, *feeds = json.loads(payload)
        except (ValueError, TypeError):  # another program uses the channel
            sender, feeds = "", []
        if sender != self._sender:
            self._on_foreign([str(feed) for feed in feeds] or None)
