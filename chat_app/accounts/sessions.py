"""Sessions that this process knows: looked up once, then kept until they end, in whichever process that happens.

`caller` asks for each event of a tab, without waiting for a database. So a session is read when a request or a
socket brings it, and a task reads one number every second, which changes when sessions end or roles change. The same
task writes which sessions were used.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager

from agent_core.errors import AgentCoreError
from agent_core.store.database.app_database import AppDatabase
from chat_app.accounts.people import SignedIn, note_sessions, read_sessions
from chat_app.database.changes import read_change
from chat_app.database.seen_notes import SeenNotes

_log = logging.getLogger(__name__)
WATCH_INTERVAL = 1.0  # seconds
_EXPIRY_INTERVAL = 60.0  # seconds between two looks at the ends of sessions
_MAX_BROWSER = 300  # characters of a browser's own name


class Sessions:
    """Known sessions of this process, by id.

    Args:
        database: the database with the sessions.
        clock: returns seconds since the epoch.
    """

    def __init__(self, database: AppDatabase, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, SignedIn] = {}
        self._change = -1
        self._connections: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._used = SeenNotes(clock)

    def get(self, session_id: str) -> SignedIn | None:
        """Return a session that was loaded; None if it has ended."""
        found = self._known.get(session_id)
        return found if found is not None and found.expires_at > self._clock() else None

    async def load(self, session_id: str) -> SignedIn | None:
        """Return a session, read from the database unless it is known; None if there is none."""
        while (found := self.get(session_id)) is None:
            read, change = await asyncio.to_thread(
                self._database.read, read_sessions, [session_id], self._clock()
            )
            if change < self._change:  # it may have ended between this read and a later one
                continue
            if session_id not in read:
                return None
            self._known[session_id] = read[session_id]
            if change > self._change >= 0:
                await self.refresh()
            self._change = max(self._change, change)
        return found

    async def refresh(self) -> None:
        """Read the known sessions again, and end the connections of those that have ended or whose role has changed.

        Browsers reconnect by themselves, with the present role of their person.
        """
        asked = set(self._known)
        read, change = await asyncio.to_thread(self._database.read, read_sessions, asked, self._clock())
        self._change = max(self._change, change)
        for session_id in asked:
            known, now = self._known.pop(session_id, None), read.get(session_id)
            if now is not None:
                self._known[session_id] = now
            if now is None or (known is not None and known.role != now.role):
                for ended in self._connections.pop(session_id, ()):
                    ended.set()

    async def watch(self) -> None:
        """Notice what other processes change, until cancelled."""
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            try:
                await self._write_used()
                is_time = time.monotonic() - looked_at >= _EXPIRY_INTERVAL
                if is_time or await asyncio.to_thread(self._database.read, read_change) != self._change:
                    await self.refresh()
                    looked_at = time.monotonic()
            except AgentCoreError as error:
                _log.warning("Could not read whether sessions have ended; trying again: %s", error)

    def note(self, session_id: str, browser: str) -> None:
        """Note that a session is used, by which browser; `watch` writes it."""
        self._used.note(session_id, browser[:_MAX_BROWSER])

    async def _write_used(self) -> None:
        if used := self._used.take():
            await asyncio.to_thread(self._database.write, note_sessions, used, self._clock())

    @contextmanager
    def connection(self, session_id: str) -> Generator[asyncio.Event]:
        """Yield an event that is set when the session ends, for a connection that stays open."""
        ended = asyncio.Event()
        self._connections[session_id].add(ended)
        try:
            yield ended
        finally:
            known = self._connections.get(session_id)
            if known is not None:
                known.discard(ended)
                if not known:
                    del self._connections[session_id]
