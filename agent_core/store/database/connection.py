"""The writer's connection: it begins and ends transactions, and notices other processes' commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from sqlalchemy import Engine

from agent_core.store.database.checkpoints import Checkpoints
from agent_core.store.database.server_clock import ServerClock
from agent_core.store.database.transaction import OnForeignCommit
from agent_core.support.clock import Clock
from agent_core.support.logs import get_logger

_log = get_logger(__name__)


class Connection(Protocol):
    """Protocol of the writer's connection, implemented for each kind of database."""

    cursor: Any
    """Executes (SQL, values by name); the result has `rowcount` and `fetchall()`."""

    @property
    def is_listening(self) -> bool:
        """Whether commits of other processes are noticed at once."""
        ...

    @property
    def uptime(self) -> float:
        """Seconds since the server was connected last; 0.0 while it is not, and for a file."""
        ...

    def open(self) -> None:
        """Connect; called, like every method, in the writer's thread."""
        ...

    def begin(self) -> bool:
        """Begin a transaction.

        Returns:
            False: the previous transaction, whose outcome was unknown, is committed; nothing was begun.
        """
        ...

    def run_independent(self, functions: Sequence[Callable[[], None]]) -> None:
        """Run independent functions, interleaved where that shares round trips."""
        ...

    def commit(self, touched: Collection[str]) -> None:
        """Commit, and notify other processes of the touched feeds."""
        ...

    def roll_back(self) -> None:
        """Roll back; never raises."""
        ...

    def may_retry(self, error: BaseException) -> bool:
        """Whether the transaction may succeed if it is retried after this error; may wait a moment."""
        ...

    def check_foreign_commits(self) -> None:
        """Check for commits of other processes, if the database sends no notifications."""
        ...

    def keep_up(self) -> None:
        """Do what can wait until the callers have their results; called after each group, never raises."""
        ...

    def check_clock(self) -> None:
        """Measure the server's clock if that is due; only a server has one of its own."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class _SqliteConnection:
    """A SQLite file: it has one writer at a time, and a counter that changes with others' commits.

    Args:
        on_foreign: called in the writer's thread.
    """

    def __init__(self, engine: Engine, watch: float, on_foreign: OnForeignCommit) -> None:
        self._engine = engine
        self._watch = watch
        self._on_foreign = on_foreign
        self._version: int | None = None
        self._checked_at = 0.0
        self.is_listening = False
        self.uptime = 0.0
        self.cursor: Any = None

    def open(self) -> None:
        """Open the file."""
        self._connection = self._engine.raw_connection()
        self.cursor = self._connection.cursor()
        self._checkpoints = Checkpoints(self._engine, self.cursor)

    def begin(self) -> bool:
        """Take the write lock at once: SQLite does not wait for one that is taken later."""
        self.cursor.execute("BEGIN IMMEDIATE")
        return True

    def run_independent(self, functions: Sequence[Callable[[], None]]) -> None:
        """Run the functions one after the other: a local file has no round trips to share."""
        for function in functions:
            function()

    def commit(self, touched: Collection[str]) -> None:
        """Commit; other processes read the counter."""
        self._connection.commit()

    def roll_back(self) -> None:
        """Roll back."""
        try:
            self._connection.rollback()
        except Exception:
            _log.exception("The rollback failed; the next transaction raises if the error persists.")

    def may_retry(self, error: BaseException) -> bool:
        """Return False: busy_timeout has waited already, and one writer cannot collide."""
        return False

    def check_foreign_commits(self) -> None:
        """Check the counter."""
        # data_version changes only with commits of other connections, and in this process only this one
        # writes. https://sqlite.org/pragma.html#pragma_data_version
        now = time.monotonic()
        if now - self._checked_at < self._watch:
            return
        self._checked_at = now
        try:
            version = self.cursor.execute("PRAGMA data_version").fetchone()[0]
            self.is_listening = True
        except Exception:  # this thread must survive errors of the disk
            self.is_listening = False
            _log.exception("Reading data_version failed; commits of other processes are noticed later.")
            return
        if version != self._version:  # at the first check, too: another process may have written before
            self._on_foreign(None)
        self._version = version

    def keep_up(self) -> None:
        """Keep the write-ahead log short."""
        self._checkpoints.keep_up()

    def check_clock(self) -> None:
        """Do nothing: a file is used by processes of one machine."""

    def close(self) -> None:
        """Close the file."""
        self._checkpoints.close()
        self.cursor.close()
        self._connection.close()


def connection_for(
    engine: Engine, process: str, watch: float, on_foreign: OnForeignCommit, clock: Clock
) -> Connection:
    """Return an unopened connection of a process for an engine's database, which keeps a server's `clock`."""
    if engine.dialect.name == "sqlite":
        return _SqliteConnection(engine, watch, on_foreign)
    from agent_core.store.database.postgresql.writer_connection import PostgresConnection

    return PostgresConnection(engine, process, on_foreign, clock if isinstance(clock, ServerClock) else None)
