"""Write transactions, and the protocol of the wake-ups that they write."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Dialect

from agent_core.domain.events.outbox_events import EventType
from agent_core.domain.events.run_events import RunEvent, TurnStart
from agent_core.domain.states import RUNNING
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.store.database.sql import Statement, idle_feed

OnForeignCommit = Callable[[Collection[str] | None], None]
"""Called after another process has committed, with the feeds that it touched; None: any feed."""


class Turn(NamedTuple):
    """What a turn begins with.

    Attributes:
        user_id: the person whose turn it is; None: nobody's, so the thread counts as a person of its own.
        is_scheduled: whether a schedule has sent the message.
    """

    user_id: str | None
    is_scheduled: bool = False


class WakeUps(Protocol):
    """Protocol of the wake-ups that a transaction writes for the work it makes possible."""

    def enqueue(
        self, tx: Tx, key: WakeUpKey | str, run_at: float | None = None, *, turn: Turn | None = None
    ) -> None:
        """Write the wake-up `key` (or its text), due at `run_at` (seconds since the epoch; None: at once).

        One that begins a `turn` may be taken by any worker; the work that follows stays in its process.
        """
        ...

    def ensure(self, tx: Tx, key: WakeUpKey) -> None:
        """Write the wake-up `key`, due at once, unless there is one; lock it until the end of the transaction."""
        ...

    def done(self, tx: Tx, key: WakeUpKey | str, *, mine: bool = True) -> None:
        """Delete the wake-up `key`, whose work this transaction finishes; with `mine` only a lease of this worker."""
        ...

    def drop(self, tx: Tx, thread_id: str) -> None:
        """Delete every wake-up of a thread and cancel its work in this process."""
        ...


class Outbox(Protocol):
    """Protocol of the outbox to which a transaction writes its events."""

    @property
    def types(self) -> Container[str]:
        """Types of the events that it takes."""
        ...

    def write(self, tx: Tx, kind: EventType, thread_id: str, data: dict[str, Any]) -> None:
        """Write an event of a thread, whose row this transaction has locked."""
        ...


class NoOutbox:
    """An outbox that takes no events."""

    types: Container[str] = frozenset[str]()

    def write(self, tx: Tx, kind: EventType, thread_id: str, data: dict[str, Any]) -> None:
        """Do nothing."""


_NO_OUTBOX = NoOutbox()


class StatusChange(NamedTuple):
    """A change of a thread's status, for the hooks of its agent.

    Attributes:
        changed_at: when, in seconds since the epoch.
        turn: the turn that ends with it.
        error, words: kind and message of the error with which it ends; see `TurnEnded`.
    """

    thread_id: str
    status: str
    previous_status: str
    agent: str
    changed_at: float
    turn: TurnStart | None = None
    error: str | None = None
    words: str | None = None


class FenceLost(Exception):  # noqa: N818  # not an error: the work has another owner
    """The write missed, because the step or the tool call has moved on or has another owner."""


class Tx:
    """A write transaction, or one caller's part of a group commit."""

    __slots__ = ("cursor", "dialect", "effects", "events", "moves", "now", "outbox", "touched", "wake")

    def __init__(
        self, cursor: Any, dialect: Dialect, wake: WakeUps, now: float, outbox: Outbox = _NO_OUTBOX
    ) -> None:
        self.cursor = cursor
        self.dialect = dialect
        self.wake = wake
        self.now = now
        self.outbox = outbox
        self.effects: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.touched: set[str] = set()
        self.moves: list[StatusChange] = []
        self.events: list[RunEvent] = []

    def run(self, statement: Statement, **values: Any) -> int:
        """Execute and return the number of rows it changed."""
        sql, defaults = statement.compiled(self.dialect)
        return self.cursor.execute(sql, defaults | values).rowcount

    def do(self, statement: Statement, **values: Any) -> None:
        """Execute a write without waiting for its result."""
        sql, defaults = statement.compiled(self.dialect)
        self.cursor.execute(sql, defaults | values)

    def lock(self, statement: Statement, **values: Any) -> None:
        """Execute a SELECT that only locks rows; SQLite has no other writer during a transaction."""
        if self.dialect.name != "sqlite":
            self.do(statement, **values)

    def ask(self, statement: Statement, **values: Any) -> Callable[[], tuple[Any, ...] | None]:
        """Execute and return a function that returns the first row, or None.

        Statements that are executed before the first result is read share one round trip.
        """
        sql, defaults = statement.compiled(self.dialect)
        answer = self.cursor.execute(sql, defaults | values)
        if answer is self.cursor:  # a plain cursor holds one result at a time
            rows = answer.fetchall()
            return lambda: rows[0] if rows else None
        return lambda: next(iter(answer.fetchall()), None)

    def one(self, statement: Statement, **values: Any) -> tuple[Any, ...] | None:
        """Execute and return the first row, or None."""
        # fetchall, not fetchone: SQLite refuses to commit while a RETURNING has rows left.
        rows = self.all(statement, **values)
        return rows[0] if rows else None

    def fenced(self, statement: Statement, **values: Any) -> tuple[Any, ...]:
        """Execute a statement with a fence in its WHERE and return its row.

        Raises:
            FenceLost: there is none; nothing was written.
        """
        row = self.one(statement, **values)
        if row is None:
            raise FenceLost
        return row

    def must(self, statement: Statement, **values: Any) -> tuple[Any, ...]:
        """Execute and return the first row, which exists because this transaction holds its lock."""
        row = self.one(statement, **values)
        assert row is not None, "a row vanished under its own lock"
        return row

    def all(self, statement: Statement, **values: Any) -> Sequence[tuple[Any, ...]]:
        """Execute and return every row."""
        sql, defaults = statement.compiled(self.dialect)
        return self.cursor.execute(sql, defaults | values).fetchall()

    def moved(
        self,
        thread_id: str,
        previous: str,
        status: str,
        agent: str,
        turn: TurnStart | None = None,
        error: str | None = None,
        words: str | None = None,
    ) -> None:
        """Record that a thread of `agent` changed its status, for the hooks and the outbox, and the `turn` that ends."""
        self.emit(EventType.STATUS_CHANGED, thread_id, status=status, previous_status=previous)
        change = StatusChange(thread_id, str(status), str(previous), agent, self.now, turn, error, words)
        self.moves.append(change)  # with plain text for hooks
        if status not in RUNNING:
            self.touched.add(idle_feed(thread_id))

    def publish(self, event: RunEvent) -> None:
        """Publish an event after the commit."""
        self.events.append(event)

    def emit(self, kind: EventType, thread_id: str, **data: Any) -> None:
        """Write an event of a thread, whose row this transaction has locked, if the outbox takes its type."""
        if kind in self.outbox.types:
            self.outbox.write(self, kind, thread_id, data)

    def after(self, effect: Callable[..., object], *args: Any) -> None:
        """Call `effect(*args)` on the event loop after the commit."""
        self.effects.append((effect, args))
