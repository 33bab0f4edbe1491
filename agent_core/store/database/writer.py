"""Run every write transaction of this process in one thread, several to a commit.

Callers submit a function of a `Tx` and await its result. Functions that wait at the same time share a commit
(group commit). If one of them raises, the group is rolled back and each function runs again alone, so these
functions must have no effects beyond the database. Effects are registered with `Tx.after` and run on the event
loop after the commit.

Functions of a group that belong to different threads may be interleaved (see `Connection.run_independent`); all
others run in the order of their submission.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine

from agent_core.domain.events.run_events import RunEvent
from agent_core.errors import DatabaseError
from agent_core.sentences import sentence
from agent_core.store.database.connection import connection_for
from agent_core.store.database.open import translate
from agent_core.store.database.transaction import OnForeignCommit, Outbox, StatusChange, Tx, WakeUps
from agent_core.support.clock import Clock
from agent_core.support.logs import get_logger

R = TypeVar("R")
_log = get_logger(__name__)
_MAX_ATTEMPTS = 100  # at one transaction that collides with others, a moment apart
_MAX_GROUP = 64  # most functions that share a commit: bounds the wait of the first


class _Write(Generic[R]):
    __slots__ = ("args", "error", "function", "future", "kwargs", "result", "thread_id", "tx")

    def __init__(
        self,
        function: Callable[..., R],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: Any,
        thread_id: str | None = None,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.future: asyncio.Future[R] | Future[R] = future
        self.result: R | None = None
        self.error: BaseException | None = None
        self.tx: Tx | None = None
        self.thread_id = thread_id

    def perform(self, tx: Tx) -> None:
        self.tx = tx
        self.result = self.function(tx, *self.args, **self.kwargs)


class Writer:
    """The thread that owns the only writing connection of this process.

    Args:
        engine: a SQLAlchemy engine with a named paramstyle.
        clock: gives every transaction its `now`.
        wake: writes the wake-ups of transactions.
        outbox: writes the events of transactions.
        process: the name of this process among the workers.
        watch: seconds between checks for commits of other processes (SQLite only; PostgreSQL notifies).
        on_touch: called on the event loop with the ids of threads that a commit changed.
        on_move: called on the event loop with each change of a thread's status.
        on_event: called on the event loop with each event that a transaction publishes.
        on_foreign: called on the event loop after another process has committed, with the touched feeds;
            None: any feed.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        wake: WakeUps,
        outbox: Outbox,
        *,
        process: str,
        watch: float,
        on_touch: Callable[[set[str]], None],
        on_move: Callable[[StatusChange], None],
        on_event: Callable[[RunEvent], None],
        on_foreign: OnForeignCommit,
    ) -> None:
        self._dialect = engine.dialect
        self._clock = clock
        self._wake = wake
        self._outbox = outbox
        self._watch = watch
        self._on_touch = on_touch
        self._on_move = on_move
        self._on_event = on_event
        self._queue: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._connection = connection_for(
            engine, process, watch, functools.partial(self._call, on_foreign), clock
        )
        self._is_open = False
        self._lock = threading.Lock()  # nothing is queued behind the end mark
        self._thread = threading.Thread(target=self._main, name="agent_core-writer", daemon=True)

    def start(self) -> None:
        """Open the connection and accept writes."""
        self._is_open = True
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether writes are refused, because the store is closing or not open."""
        return not self._is_open

    @property
    def is_listening(self) -> bool:
        """Whether commits of other processes are noticed at once."""
        return self._connection.is_listening

    @property
    def uptime(self) -> float:
        """Seconds since the server was connected last; 0.0 while it is not, and for a file."""
        return self._connection.uptime

    async def close(self) -> None:
        """Finish the queued writes, then end the thread and close the connection."""
        with self._lock:
            self._is_open = False
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run `function(tx, *args, **kwargs)` in a transaction and return its result after the commit.

        Raises:
            DatabaseError: the database refused, or is closed; nothing was changed.
            Exception: raised by `function`; nothing was changed.
        """
        future: asyncio.Future[R] = self._loop.create_future()
        self._submit(_Write(function, args, kwargs, future))
        return await future

    async def run_for(self, thread_id: str, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run a function that reads and writes only rows of one thread; see `run`.

        It may be interleaved with functions of other threads, never of this one.
        """
        future: asyncio.Future[R] = self._loop.create_future()
        self._submit(_Write(function, args, kwargs, future, thread_id))
        return await future

    def run_blocking(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run a function from another OS thread, blocking until the commit; see `run`."""
        future: Future[R] = Future()
        self._submit(_Write(function, args, kwargs, future))
        return future.result(timeout=60)

    def _submit(self, write: _Write[Any]) -> None:
        with self._lock:
            if not self._is_open:
                raise DatabaseError(sentence("database_closed"))
            self._queue.put(write)

    # --- the writer's own thread ---

    def _main(self) -> None:
        connection = self._connection
        connection.open()
        try:
            while True:
                group, ended = self._next_group()
                if group:
                    self._commit(group)
                    self._deliver(group)
                    connection.keep_up()
                connection.check_foreign_commits()
                connection.check_clock()
                if ended:
                    return
        finally:
            connection.close()

    def _next_group(self) -> tuple[list[_Write[Any]], bool]:
        group: list[_Write[Any]] = []
        try:
            item = self._queue.get(timeout=self._watch)
            while item is not None:
                group.append(item)
                if len(group) >= _MAX_GROUP:
                    return group, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return group, False
        return group, True

    def _commit(self, group: list[_Write[Any]]) -> None:
        """Run a group in one transaction; if one function fails, each in a transaction of its own."""
        connection, begun = self._connection, False
        for attempt in itertools.count(1):
            try:
                begun = connection.begin()
                if begun:
                    touched = self._run(group)
                    connection.commit(touched)
                return
            except BaseException as error:
                connection.roll_back()
                if attempt < _MAX_ATTEMPTS and connection.may_retry(error):
                    continue
                if len(group) == 1 or not begun:
                    # If the transaction could not begin, each function alone would wait as long for the same lock.
                    _refuse(group, translate(error))
                else:
                    for write in group:
                        self._commit([write])
                return

    def _run(self, group: list[_Write[Any]]) -> set[str]:
        now = self._clock.now()
        chains: dict[str, list[_Write[Any]]] = {}

        def perform(chain: list[_Write[Any]]) -> None:
            for write in chain:
                write.perform(Tx(self._connection.cursor, self._dialect, self._wake, now, self._outbox))

        for write in group:
            if write.thread_id is not None:
                chains.setdefault(write.thread_id, []).append(write)
                continue
            self._connection.run_independent([functools.partial(perform, chain) for chain in chains.values()])
            chains.clear()
            perform([write])
        self._connection.run_independent([functools.partial(perform, chain) for chain in chains.values()])
        return {feed for write in group if write.tx is not None for feed in write.tx.touched}

    def _deliver(self, group: list[_Write[Any]]) -> None:
        for write in group:
            if isinstance(write.future, Future):
                _settle(write)
        self._call(self._arrive, group)

    def _call(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed
            _log.debug("A commit arrived after its event loop had closed.")

    # --- back on the event loop ---

    def _arrive(self, group: list[_Write[Any]]) -> None:
        touched: set[str] = set()
        for write in group:
            if write.tx is not None:
                touched |= write.tx.touched
                self._run_effects(write.tx)
            if not isinstance(write.future, Future):
                _settle(write)
        if touched:
            self._on_touch(touched)

    def _run_effects(self, tx: Tx) -> None:
        effects = tx.effects + [(self._on_move, (move,)) for move in tx.moves]
        effects += [(self._on_event, (event,)) for event in tx.events]
        for effect, args in effects:
            try:
                effect(*args)
            except Exception:
                _log.exception("The effect %r of a committed transaction failed.", effect)


def _refuse(group: list[_Write[Any]], error: BaseException) -> None:
    for write in group:
        write.error, write.tx = error, None


def _settle(write: _Write[Any]) -> None:
    if write.future.done():  # its caller was cancelled; the commit remains
        return
    if write.error is not None:
        write.future.set_exception(write.error)
    else:
        write.future.set_result(write.result)
