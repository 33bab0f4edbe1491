"""Outages of PostgreSQL that end by themselves: crashed, cut off, silent, read-only, out of connections."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable

import psycopg

from tests.support.servers.proxy import Proxy
from tests.tools.postgresql import PostgreSQL

_TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
_WRITABLE = "set default_transaction_read_only = off"


class Outages:
    """Outages of a server and of the connections of its clients.

    Args:
        server: the server.
        proxy: the proxy between the workers and the server.
        seconds: how long an outage lasts.
    """

    def __init__(self, server: PostgreSQL, proxy: Proxy, seconds: float) -> None:
        self.server, self.proxy, self.seconds = server, proxy, seconds
        self.all: dict[str, Callable[[], Awaitable[None]]] = {
            "crashed": self.crashed,
            "cut off": self.cut_off,
            "silent": self.silent,
            "read-only": self.read_only,
            "full": self.full,
        }

    async def crashed(self) -> None:
        """Crash the server, and start it again at once."""
        self.server.stop(signal.SIGQUIT)
        self.server.start()  # not in a thread: the server ends with the thread that has started it

    async def cut_off(self) -> None:
        """Cut the workers off from the server."""
        self.proxy.refusing.set()
        self.proxy.cut()
        await asyncio.sleep(self.seconds)
        self.proxy.refusing.clear()

    async def silent(self) -> None:
        """Let the open connections of the workers hang for ever; new ones work."""
        self.proxy.silence()

    async def read_only(self) -> None:
        """Make the server read-only, as in a failover."""
        await self._execute("alter system set default_transaction_read_only = on")
        await asyncio.sleep(self.seconds)
        await self._execute("alter system reset default_transaction_read_only")

    async def _execute(self, change: str) -> None:
        statements = _WRITABLE, change, "select pg_reload_conf()", _TERMINATE
        await asyncio.to_thread(self.server.execute, *statements)

    async def full(self) -> None:
        """Take every connection of the server, also those of its clients."""
        await asyncio.to_thread(self._take_all)

    def _take_all(self) -> None:
        deadline = time.monotonic() + self.seconds
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(self.server.connect())
            mine = {first.info.backend_pid}
            while time.monotonic() < deadline:
                try:
                    taken = stack.enter_context(self.server.connect())
                except psycopg.OperationalError:
                    found = first.execute(
                        "select pid from pg_stat_activity where backend_type = 'client backend'"
                    )
                    for (pid,) in found.fetchall():
                        if pid not in mine:
                            first.execute("select pg_terminate_backend(%s)", [pid])
                    time.sleep(0.01)
                else:
                    mine.add(taken.info.backend_pid)
