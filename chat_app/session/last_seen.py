"""Record when each person last used the app, for its administrators."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import text
from sqlmodel import Session, col, select

from agent_core import CallContext
from agent_core.errors import AgentCoreError
from agent_core.store.database.app_database import AppDatabase
from chat_app.accounts.people import MAX_NAME
from chat_app.database.seen_notes import SeenNotes
from chat_app.database.tables import SeenRow

_log = logging.getLogger(__name__)
_WRITE_INTERVAL = 1.0  # seconds


class LastSeen:
    """Times at which people last used the app, to about a minute.

    Args:
        database: the database with the app's tables.
        clock: returns seconds since the epoch.
    """

    def __init__(self, database: AppDatabase, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._notes = SeenNotes(clock)

    def note(self, ctx: CallContext | None) -> None:
        """Note that a person uses the app; `run` writes it."""
        if ctx is not None and ctx.user_id is not None and len(ctx.user_id) <= MAX_NAME:
            self._notes.note(ctx.user_id)

    async def run(self) -> None:
        """Write what was noted, until cancelled."""
        while True:
            await asyncio.sleep(_WRITE_INTERVAL)
            try:
                await self.write()
            except AgentCoreError as error:
                _log.warning("Could not write who was seen: %s", error)

    async def write(self) -> None:
        """Write what was noted."""
        if noted := self._notes.take():
            await asyncio.to_thread(self._database.write, _write, sorted(noted), self._clock())

    async def newest(self, limit: int) -> Sequence[SeenRow]:
        """Return the people who were seen last, the newest first."""
        return await asyncio.to_thread(self._database.read, _newest, limit)

    async def moments(self, user_ids: Collection[str]) -> dict[str, float]:
        """Return when people were last seen, by their ids, in seconds since the epoch."""
        return await asyncio.to_thread(self._database.read, _moments, user_ids)


def _write(session: Session, user_ids: Sequence[str], now: float) -> None:
    for user_id in user_ids:  # in one order, so that two processes do not lock each other out
        session.execute(
            text(
                "INSERT INTO chat_seen (user_id, first_at, seen_at) VALUES (:user_id, :now, :now) "
                "ON CONFLICT (user_id) DO UPDATE SET seen_at = :now"
            ),
            {"user_id": user_id, "now": now},
        )


def _newest(session: Session, limit: int) -> Sequence[SeenRow]:
    return session.exec(select(SeenRow).order_by(col(SeenRow.seen_at).desc()).limit(limit)).all()


def _moments(session: Session, user_ids: Collection[str]) -> dict[str, float]:
    found = select(SeenRow.user_id, SeenRow.seen_at).where(col(SeenRow.user_id).in_(user_ids))
    return dict(session.exec(found).all())
