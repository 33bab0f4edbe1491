"""Open a database in this process, to read, write and follow threads, with or without a worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Engine

from agent_core.domain.events.run_events import RunEvent, Tracing, TurnEnded, TurnStart
from agent_core.domain.messages import Thread, Update
from agent_core.domain.states import RUNNING
from agent_core.domain.validation import clean_text
from agent_core.errors import ValidationError
from agent_core.hooks import Hooks
from agent_core.registry import AgentRegistry
from agent_core.store.database.migrate import migrate
from agent_core.store.database.open import opened, parse_url
from agent_core.store.database.server_clock import ServerClock
from agent_core.store.database.transaction import StatusChange, Tx
from agent_core.store.database.writer import Writer
from agent_core.store.limits.in_use import LimitsInUse
from agent_core.store.outbox.in_use import OutboxInUse
from agent_core.store.reads.reader import Reads
from agent_core.store.wake_ups.wake_ups import DeferFor, LeasedWakeUps, LocalWorker, deferred_by_none
from agent_core.streaming.change_feeds import ChangeFeeds
from agent_core.support.argument_checks import check_arguments, check_has, known_options
from agent_core.support.clock import Clock, SystemClock
from agent_core.support.ids import new_id
from agent_core.support.observers import Observers
from agent_core.support.settings import Settings

R = TypeVar("R")
_HOOKS_TIMEOUT = 5.0  # seconds that running hooks get to end before the database is closed


@known_options
class Store:
    """A database of threads, open in this process.

    An async context manager; use it on one event loop. It is enough for sending and following: a message is
    stored with its wake-up, and any process with a `Worker` on the same database runs it::

        async with Store("sqlite:///data/agents.db") as store:
            api = define_agent_api(store, agent)
            await api.create_thread("Hello")

    Args:
        database_url: sqlite:///path, whose folder is created, or postgresql://user@host/name, which must exist.
        settings: durations; the defaults are for production.
        defer_for: returns what defers a wake-up to a distributed engine; see `Workpools.defer_for`.

    Attributes:
        process: the name of this process among those of the database.
        agents: the agents that this process knows.
        hooks: runs the application's hooks.
        observers: get the events of the work that runs in this process.
        tracing: connects this process to traces, if there is one.
        feeds: the changes of threads, for their followers.
        wake_ups: writes the wake-ups.
        limits: whether there are limits or budgets.
        outbox: the events that this process writes.
        engine: (while it is open) the SQLAlchemy engine for readers.
        path: (while it is open) the SQLite file; None for PostgreSQL.

    Raises:
        ValidationError: the URL is not usable.
        DatabaseError: (on entering) the database is locked, read-only, corrupt or too new.
    """

    engine: Engine
    path: Path | None

    def __init__(
        self,
        database_url: str = "sqlite:///data/agents.db",
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        defer_for: DeferFor = deferred_by_none,
    ) -> None:
        given = {"database_url": database_url, "settings": settings}
        check_arguments(Store.__init__, (), given, who="Store")
        if clock is not None:
            check_has(clock, "now", "clock of Store must be a Clock")
        parse_url(database_url)
        self.database_url = database_url
        self.settings = settings or Settings()
        self.clock = _clock_of(database_url, clock or SystemClock())
        self.process = f"{os.getpid()}-{new_id('w')[-10:].lower()}"
        self.hooks = Hooks()
        self.observers = Observers[RunEvent]()
        self.tracing: Tracing | None = None
        self.agents = AgentRegistry(self.hooks)
        self.feeds = ChangeFeeds(self._updates)
        self.wake_ups = LeasedWakeUps(self.process, self.settings.lease, defer_for)
        self.limits = LimitsInUse(self.read, self.hooks)
        self.outbox = OutboxInUse(self.read, self._run, self.hooks)
        self._stack = contextlib.ExitStack()
        self._is_open = False

    @property
    def writer(self) -> Writer:
        """The writer."""
        self._check_open()
        return self._writer

    @property
    def is_listening(self) -> bool:
        """Whether changes by other processes are noticed at once."""
        return self.writer.is_listening

    @property
    def reads(self) -> Reads:
        """The reader."""
        self._check_open()
        return self._reads

    async def get_thread(self, thread_id: str) -> Thread | None:
        """Return any user's thread, for an `authorization_callback`; None if there is none.

        A thread that was deleted with `undo_for` is returned until that time is over.
        """
        if clean_text(thread_id) != thread_id:  # no row has such an id
            return None
        return await asyncio.to_thread(self.reads.thread, thread_id)

    async def read(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Return `function(session, *args, **kwargs)`, which reads one consistent snapshot in a thread."""
        return await asyncio.to_thread(self.reads.read, function, *args, **kwargs)

    async def follow(
        self,
        thread_id: str,
        cursor: int | None,
        limit: int | None,
        authorize: Callable[[str], Awaitable[None]],
    ) -> AsyncGenerator[Update]:
        """Yield updates as `AgentApi.subscribe` does; `authorize` raises when the reader may no longer read them."""
        checked_at = time.monotonic()
        with self.feeds.follow(thread_id) as reader:
            while not self.feeds.closed:
                reader.start_read()
                updates = None if cursor is None else await reader.updates(cursor)
                again = updates is None and cursor is not None
                if updates is None:
                    snapshot = await asyncio.to_thread(self.reads.snapshot, thread_id, limit)
                    updates = [snapshot or Update(type="deleted", cursor=0)]
                again = again or time.monotonic() - checked_at >= self.settings.recheck
                if again and updates and updates[0].type != "deleted":
                    await authorize(thread_id)
                    checked_at = time.monotonic()
                for update in updates:
                    yield update
                    if update.type == "deleted":
                        return
                    cursor = update.cursor
                if not updates:
                    await reader.wait()

    async def _run(self, function: Callable[..., R], *args: Any) -> R:
        return await self.writer.run(function, *args)

    def executing(self, turn: TurnStart | None, work: str) -> contextlib.AbstractContextManager[None]:
        """Return a context manager for code of a turn, such as a request to its model; see `Tracing`."""
        if self.tracing is None or turn is None:
            return contextlib.nullcontext()
        return self.tracing.executing(turn, work)

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValidationError("The database is not open; use the runtime inside `async with runtime:`.")

    def _updates(self, thread_id: str, cursor: int) -> list[Update] | None:
        return self.reads.updates(thread_id, cursor)

    async def __aenter__(self) -> Store:
        """Open the database and bring its schema up to date."""
        if self._is_open:
            raise ValidationError("This database is open already; make another Runtime or Store.")
        with contextlib.ExitStack() as stack:
            opening = opened(self.database_url, self.settings.synchronous)
            # In a thread: it reads the file, and waits while another process holds its lock.
            database = await asyncio.to_thread(stack.enter_context, opening)
            self.engine, self.path = database.reader, database.path
            await asyncio.to_thread(migrate, database.writer)
            self._reads = Reads(self.engine)
            self._writer = Writer(
                database.writer,
                self.clock,
                self.wake_ups,
                self.outbox,
                process=self.process,
                watch=self.settings.watch,
                on_touch=self.feeds.notify,
                on_move=self._on_move,
                on_event=self.observers.publish,
                on_foreign=self._on_foreign_commit,
            )
            self._stack = stack.pop_all()
        self._writer.start()
        self._is_open = True
        if isinstance(self.clock, ServerClock):
            await self._writer.run(_connect)
        await self.limits.check()
        await self.outbox.check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End followers, finish pending writes and close the database."""
        self.feeds.close()
        self.limits.close()
        self.outbox.close()
        await self.hooks.close(_HOOKS_TIMEOUT)
        self._is_open = False
        await self._writer.close()
        self._stack.close()

    # --- the worker of this process, if there is one ---

    def attach(self, worker: LocalWorker) -> None:
        """Dispatch new work and other processes' commits to a worker of this process.

        Raises:
            ValidationError: the store has a worker already.
        """
        if self.wake_ups.worker is not None:
            raise ValidationError("This store has a worker already; a process needs one for each database.")
        self.wake_ups.worker = worker

    def detach(self) -> None:
        """Leave new work to other processes."""
        self.wake_ups.worker = None

    async def before_stop(self, thread_id: str) -> None:
        """Flush the pending chunks of a thread's model step, if it runs here; call it before a stop."""
        if (worker := self.wake_ups.worker) is not None:
            await worker.flush(thread_id)

    def _on_move(self, change: StatusChange) -> None:
        thread_id, status, previous, agent, ended_at, turn, error, words = change
        self.agents.moved(thread_id, status, previous, agent)
        if status not in RUNNING and previous in RUNNING:  # a thread that shows another branch was idle
            self.observers.publish(TurnEnded(thread_id, agent, status, ended_at, turn, error, words))

    def _on_foreign_commit(self, touched: Collection[str] | None) -> None:
        """Pass on another process's commit, which may have written deltas, due work or a stop."""
        if touched is None:
            self.feeds.notify_all()
        else:
            self.feeds.notify(touched)
        self.limits.on_foreign_commit(touched)
        self.outbox.on_foreign_commit(touched)
        if (worker := self.wake_ups.worker) is not None:
            worker.on_foreign_commit(touched)


def _connect(_tx: Tx) -> None:
    """Write nothing: the first transaction connects, and so measures the server's clock."""


def _clock_of(database_url: str, machine: Clock) -> Clock:
    """Return the clock of a database: a server's own, unless the given one is a test's."""
    is_server = parse_url(database_url).get_backend_name() != "sqlite"
    return ServerClock(machine) if is_server and not getattr(machine, "is_fake", False) else machine
