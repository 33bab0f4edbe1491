"""The writer's connection: how a transaction begins and ends, and how others' commits are noticed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from sqlalchemy import Engine

from agent_core.store.database.transaction import OnForeignCommit
from agent_core.support.logs import get_logger

_log = get_logger(__name__)


class Connection(Protocol):
    """What the writer needs of a database; one per kind of database."""

    cursor: Any
    """Executes (SQL, values by name); its answer has `rowcount` and `fetchall()`."""

    def open(self) -> None:
        """Connect; called in the writer's thread, as everything here is."""
        ...

    def begin(self) -> bool:
        """Begin a transaction.

        Returns:
            False: the transaction before this one, whose end was not known, turns out to be
            committed; nothing was begun.
        """
        ...

    def together(self, functions: Sequence[Callable[[], None]]) -> None:
        """Run functions that have nothing to do with each other, which may share their waits."""
        ...

    def commit(self, touched: Collection[str]) -> None:
        """Commit, and tell other processes which feeds this touched."""
        ...

    def roll_back(self) -> None:
        """Undo what was begun; never raises."""
        ...

    def may_try_again(self, error: BaseException) -> bool:
        """Whether the same transaction may succeed now, after an error that is nobody's fault."""
        ...

    def look(self) -> None:
        """Look for commits of other processes, where nobody tells of them."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class SqliteConnection:
    """A SQLite file: one writer at a time, and a counter that moves with others' commits.

    Args:
        engine: the engine.
        watch: seconds between looks for commits of other processes.
        on_foreign: called in the writer's thread.
    """

    def __init__(self, engine: Engine, watch: float, on_foreign: OnForeignCommit) -> None:
        self._engine = engine
        self._watch = watch
        self._on_foreign = on_foreign
        self._version: int | None = None
        self._looked = 0.0
        self.cursor: Any = None

    def open(self) -> None:
        """Open the file."""
        self._connection = self._engine.raw_connection()
        self.cursor = self._connection.cursor()

    def begin(self) -> bool:
        """Take the write lock at once: a lock that is taken later cannot be waited for."""
        self.cursor.execute("BEGIN IMMEDIATE")
        return True

    def together(self, functions: Sequence[Callable[[], None]]) -> None:
        """Run them one after the other: nothing here is far enough away to be waited for."""
        for function in functions:
            function()

    def commit(self, touched: Collection[str]) -> None:
        """Commit; the counter tells the others."""
        self._connection.commit()

    def roll_back(self) -> None:
        """Undo."""
        try:
            self._connection.rollback()
        except Exception:
            _log.exception("The database did not roll back; the next transaction will say more.")

    def may_try_again(self, error: BaseException) -> bool:
        """Say no: busy_timeout has waited already, and nothing collides under the one lock."""
        return False

    def look(self) -> None:
        """Ask the counter."""
        # data_version moves only for commits of other connections than this one, and in this
        # process only this one writes. https://sqlite.org/pragma.html#pragma_data_version
        now = time.monotonic()
        if now - self._looked < self._watch:
            return
        self._looked = now
        try:
            version = self.cursor.execute("PRAGMA data_version").fetchone()[0]
        except Exception:  # this thread must outlive whatever happens to the disk
            _log.exception("The database did not say whether another process has written.")
            return
        if version != self._version:  # at the first look too: somebody may have written before it
            self._on_foreign(None)
        self._version = version

    def close(self) -> None:
        """Close."""
        self.cursor.close()
        self._connection.close()


def connection_for(engine: Engine, watch: float, on_foreign: OnForeignCommit) -> Connection:
    """Return the connection for an engine's database; it is not open yet."""
    if engine.dialect.name == "sqlite":
        return SqliteConnection(engine, watch, on_foreign)
    from agent_core.store.database.postgresql import PostgresConnection

    return PostgresConnection(engine, on_foreign)
