"""Know which events this process writes: those that the database's row of the outbox names, none without a row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from sqlalchemy import delete, select
from sqlmodel import Session

from agent_core.domain.events.outbox_events import EventType
from agent_core.errors import AgentCoreError
from agent_core.hooks import Hooks
from agent_core.store.database.feed_check import FeedCheck
from agent_core.store.database.sql import OUTBOX, OUTBOX_FEED, P, Statement, dump, load, upsert
from agent_core.store.database.transaction import Tx
from agent_core.store.outbox import events
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_changes = {"events": P("events"), "updated_at": P("now")}
_PUT = upsert(OUTBOX, {"name": "default", **_changes}, ["name"], _changes)
_DELETE = Statement(delete(OUTBOX))
_READ = select(OUTBOX.c.events)


class OutboxInUse:
    """The outbox of this process's transactions.

    Args:
        read: reads the database.
        write: runs a transaction.
        hooks: runs the checks in the background.

    Attributes:
        types: types of the events that are written; empty while the outbox is off.
    """

    types: Collection[str]

    def __init__(
        self, read: Callable[..., Awaitable[Any]], write: Callable[..., Awaitable[Any]], hooks: Hooks
    ) -> None:
        self.types = frozenset[str]()
        self._read = read
        self._write = write
        self._changes = 0  # by this process; a check that began before one does not know of it
        self._feed = FeedCheck(OUTBOX_FEED, self.check, hooks)

    def write(self, tx: Tx, kind: EventType, thread_id: str, data: dict[str, Any]) -> None:
        """Write an event; see `Outbox` of transactions."""
        events.write(tx, kind, thread_id, data)

    async def switch_on(self, types: Collection[str]) -> None:
        """Let every process write events of these types, in place of others."""
        self.types = types  # before the write: no event that follows it may be missed
        await self._write(_switch_on, types)
        self._note(types)

    async def switch_off(self) -> None:
        """Let no process write events; those that are written stay."""
        await self._write(_switch_off)
        self._note(frozenset[str]())

    def _note(self, types: Collection[str]) -> None:
        self.types = types
        self._changes += 1

    async def check(self) -> None:
        """Look which events are to be written."""
        before = self._changes
        try:
            found = await self._read(types_of)
        except AgentCoreError as error:
            _log.warning(
                "The database could not be asked for its outbox; the next commit asks again: %s", error
            )
            self._feed.on_foreign_commit(None)
            return
        if before == self._changes:
            self.types = found

    def on_foreign_commit(self, touched: Collection[str] | None) -> None:
        """Check soon, because another process has committed to these feeds (None: to any)."""
        self._feed.on_foreign_commit(touched)

    def close(self) -> None:
        """Make no further check."""
        self._feed.close()


def types_of(session: Session) -> frozenset[str]:
    """Return the types of the events that are written."""
    found = session.connection().execute(_READ).scalar()
    return frozenset[str]() if found is None else frozenset(load(found))


def _switch_on(tx: Tx, types: Collection[str]) -> None:
    tx.do(_PUT, events=dump(sorted(types)), now=tx.now)
    tx.touched.add(OUTBOX_FEED)


def _switch_off(tx: Tx) -> None:
    tx.do(_DELETE)
    tx.touched.add(OUTBOX_FEED)
