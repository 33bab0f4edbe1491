"""The one writer: a thread that runs every write transaction, several to a commit.

Callers hand over a function of a `Tx` and await its result. What waits together commits together
(group commit), so the cost of a commit is shared when it matters and nobody waits when it does not.
If anything in a group raises, the group is rolled back and each of its functions is run again
alone: so these functions must have no effects of their own beyond the database. Effects are
registered with `Tx.after` and run on the event loop once the commit is through.

Functions of a group that belong to different threads may wait for the database together
(see `together`); everything else of a group runs in the order in which it came.
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

from agent_core.errors import DatabaseError
from agent_core.sentences import sentence
from agent_core.store.database.connection import connection_for
from agent_core.store.database.open import translate
from agent_core.store.database.transaction import OnForeignCommit, Tx, WakeUps
from agent_core.support.clock import Clock
from agent_core.support.logs import get_logger

R = TypeVar("R")
_log = get_logger(__name__)
_MAX_TRIES = 100  # of one transaction that collides with others, a moment apart
_MAX_GROUP = 64  # the most functions that share a commit: bounds how long the first of them waits


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
        wake: where transactions leave their wake-ups.
        watch: seconds between looks for commits of other processes (SQLite only: PostgreSQL tells).
        on_touch: called on the event loop with the ids of threads that a commit changed.
        on_move: called on the event loop with (thread id, status, previous status, agent).
        on_foreign: called on the event loop when another process committed, with the feeds that it
            touched, or None for any.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        wake: WakeUps,
        *,
        watch: float,
        on_touch: Callable[[set[str]], None],
        on_move: Callable[[str, str, str, str], None],
        on_foreign: OnForeignCommit,
    ) -> None:
        self._dialect = engine.dialect
        self._clock = clock
        self._wake = wake
        self._watch = watch
        self._on_touch = on_touch
        self._on_move = on_move
        self._queue: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._connection = connection_for(engine, watch, functools.partial(self._call, on_foreign))
        self._open = False
        self._gate = threading.Lock()  # nothing is queued behind the end of the queue
        self._thread = threading.Thread(target=self._main, name="agent_core-writer", daemon=True)

    def start(self) -> None:
        """Open the connection and begin to take writes."""
        self._open = True
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether writes are refused because the runtime ends, or has not begun."""
        return not self._open

    async def close(self) -> None:
        """Finish what is queued, then end the thread and close the connection."""
        with self._gate:
            self._open = False
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run `function(tx, *args, **kwargs)` in a transaction and return its result once it is committed.

        Raises:
            DatabaseError: the database refused, or is closed; nothing was changed.
            Exception: whatever `function` raised; nothing was changed.
        """
        future: asyncio.Future[R] = self._loop.create_future()
        self._submit(_Write(function, args, kwargs, future))
        return await future

    async def run_for(self, thread_id: str, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Do the same with a function that reads and writes only what belongs to one thread.

        It may run between the statements of other threads' functions, never of this thread's.
        """
        future: asyncio.Future[R] = self._loop.create_future()
        self._submit(_Write(function, args, kwargs, future, thread_id))
        return await future

    def run_blocking(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Do the same from another thread (the scheduler's), waiting for the commit."""
        future: Future[R] = Future()
        self._submit(_Write(function, args, kwargs, future))
        return future.result(timeout=60)

    def _submit(self, write: _Write[Any]) -> None:
        with self._gate:
            if not self._open:
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
                connection.look()
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
        """Run a group in one transaction; where one of it fails, each in a transaction of its own."""
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
                if attempt < _MAX_TRIES and connection.may_try_again(error):
                    continue
                if len(group) == 1 or not begun:
                    # One that could not begin: each alone would wait as long again for the same lock.
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
                write.perform(Tx(self._connection.cursor, self._dialect, self._wake, now))

        for write in group:
            if write.thread_id is not None:
                chains.setdefault(write.thread_id, []).append(write)
                continue
            self._connection.together([functools.partial(perform, chain) for chain in chains.values()])
            chains.clear()
            perform([write])
        self._connection.together([functools.partial(perform, chain) for chain in chains.values()])
        return {feed for write in group if write.tx is not None for feed in write.tx.touched}

    def _deliver(self, group: list[_Write[Any]]) -> None:
        for write in group:
            if isinstance(write.future, Future):
                _settle(write)
        self._call(self._arrive, group)

    def _call(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed: nobody is left to be told
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
        effects = tx.effects + [(self._on_move, move) for move in tx.moves]
        for effect, args in effects:
            try:
                effect(*args)
            except Exception:
                _log.exception("An effect of a committed transaction failed.")


def _refuse(group: list[_Write[Any]], error: BaseException) -> None:
    for write in group:
        write.error, write.tx = error, None


def _settle(write: _Write[Any]) -> None:
    if write.future.done():  # its caller was cancelled; the commit stands all the same
        return
    if write.error is not None:
        write.future.set_exception(write.error)
    else:
        write.future.set_result(write.result)
