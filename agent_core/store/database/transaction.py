"""A write transaction, and where it leaves its wake-ups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from sqlalchemy import Dialect

from agent_core.domain.states import RUNNING
from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.store.database.columns import idle_feed
from agent_core.store.database.statement import Statement

OnForeignCommit = Callable[[Collection[str] | None], None]
"""Called when another process has committed, with the feeds that it touched, or None for any."""


class WakeUps(Protocol):
    """Where a transaction leaves the wake-ups of the work it makes possible; see `workpool`."""

    def enqueue(
        self, tx: Tx, key: WakeUpKey | str, run_at: float | None = None, *, fresh: bool = False
    ) -> None:
        """Write the wake-up `key` (or its text), due at `run_at` (seconds since the epoch; None: at once).

        `fresh`: it begins a turn, so any worker may as well have it; what follows from work that was
        done here stays here.
        """
        ...

    def done(self, tx: Tx, key: WakeUpKey | str, *, mine: bool = True) -> None:
        """Delete the wake-up `key`: its work is finished by this transaction.

        With `mine` only if this worker holds its lease; what another worker took up stays.
        """
        ...

    def drop(self, tx: Tx, thread_id: str) -> None:
        """Delete every wake-up of a thread and end what runs for it in this process."""
        ...


class Tx:
    """One write transaction, or one caller's part of a group of them."""

    __slots__ = ("cursor", "dialect", "effects", "moves", "now", "touched", "wake")

    def __init__(self, cursor: Any, dialect: Dialect, wake: WakeUps, now: float) -> None:
        self.cursor = cursor
        self.dialect = dialect
        self.wake = wake
        self.now = now
        self.effects: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.touched: set[str] = set()
        self.moves: list[tuple[str, str, str, str]] = []

    def run(self, statement: Statement, **values: Any) -> int:
        """Execute and return the number of rows it landed on."""
        sql, defaults = statement.compiled(self.dialect)
        return self.cursor.execute(sql, defaults | values).rowcount

    def do(self, statement: Statement, **values: Any) -> None:
        """Execute a write whose landing nobody needs to know; where that costs a wait, it is not waited for."""
        sql, defaults = statement.compiled(self.dialect)
        self.cursor.execute(sql, defaults | values)

    def ask(self, statement: Statement, **values: Any) -> Callable[[], tuple[Any, ...] | None]:
        """Execute and return a function that returns the first row, or None.

        What is asked before the first look shares one wait, where the database is far away.
        """
        sql, defaults = statement.compiled(self.dialect)
        answer = self.cursor.execute(sql, defaults | values)
        if answer is self.cursor:  # a plain cursor holds one answer at a time
            answer = list(answer.fetchall())
            return lambda: answer[0] if answer else None
        return lambda: next(iter(answer.fetchall()), None)

    def one(self, statement: Statement, **values: Any) -> tuple[Any, ...] | None:
        """Execute and return the first row, or None."""
        # fetchall, not fetchone: SQLite refuses to commit while a RETURNING has rows left to give.
        rows = self.all(statement, **values)
        return rows[0] if rows else None

    def must(self, statement: Statement, **values: Any) -> tuple[Any, ...]:
        """Execute and return the first row, which is there because this transaction holds its lock."""
        row = self.one(statement, **values)
        assert row is not None, "a row vanished under its own lock"
        return row

    def all(self, statement: Statement, **values: Any) -> Sequence[tuple[Any, ...]]:
        """Execute and return every row."""
        sql, defaults = statement.compiled(self.dialect)
        return self.cursor.execute(sql, defaults | values).fetchall()

    def moved(self, thread_id: str, previous: str, status: str, agent: str) -> None:
        """Note that a thread of `agent` changed its status, for those who asked to be told."""
        self.moves.append((thread_id, str(status), str(previous), agent))  # plain text for those outside
        if status not in RUNNING:
            self.touched.add(idle_feed(thread_id))

    def after(self, effect: Callable[..., object], *args: Any) -> None:
        """Call `effect(*args)` on the event loop once this transaction is committed."""
        self.effects.append((effect, args))
