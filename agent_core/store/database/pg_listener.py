"""The listener: a thread that hears at once what other processes have committed.

What it hears is a hint. While its connection is away it tells everybody to look every second, and
again once it is back, because what was said meanwhile is not repeated.
https://www.postgresql.org/docs/current/sql-notify.html
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
_RECONNECT_INTERVAL = 1.0  # seconds between tries to connect, in which everybody looks for themselves
_log = get_logger(__name__)


class Listener:
    """Listens on a connection of its own.

    Args:
        connect: opens a connection.
        me: the sender whose own news are not passed on.
        told: called in the listener's thread with the feeds that were touched; None: any may be.
    """

    def __init__(
        self, connect: Callable[[], psycopg.Connection[Any]], me: str, told: OnForeignCommit
    ) -> None:
        self._connect = connect
        self._me = me
        self._told = told
        self._thread = threading.Thread(target=self._main, name="agent_core-listener", daemon=True)
        self._inside, self._outside = socket.socketpair()  # a byte in it ends the thread
        self._closing = threading.Event()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and its connection."""
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
                    self._told(None)
                    self._listen(connection)
            except psycopg.Error as error:
                _log.warning("News of other processes come late until the server answers: %s", error)
                self._told(None)
                self._closing.wait(_RECONNECT_INTERVAL)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._inside, selectors.EVENT_READ)
            while not self._closing.is_set():
                selector.select()
                connection.pgconn.consume_input()
                while (notice := connection.pgconn.notifies()) is not None:
                    self._hear(notice.extra)

    def _hear(self, said: bytes) -> None:
        try:
            sender, *feeds = json.loads(said)
        except (ValueError, TypeError):  # another program uses the channel
            sender, feeds = "", []
        if sender != self._me:
            self._told([str(feed) for feed in feeds] or None)
