"""The writer's connection to PostgreSQL: pipelined, listening for others' commits, reconnected when lost."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import psycopg
from sqlalchemy import Engine

from agent_core.errors import DatabaseError
from agent_core.store.database.interleave import interleave
from agent_core.store.database.postgresql.pipeline import Pipeline
from agent_core.store.database.server_clock import ServerClock
from agent_core.store.database.transaction import OnForeignCommit
from agent_core.support.ids import new_id
from agent_core.support.logs import get_logger

_RECONNECT_TIMEOUT = 10.0  # seconds for which writes wait for a lost server, as they wait for a lock
_RETRY_INTERVAL = 0.1  # seconds between attempts
_CHANNEL = "agent_core"
_LISTEN_INTERVAL = 1.0  # seconds between attempts to listen, each of which touches every feed
_WARNING_INTERVAL = 60.0  # seconds after which an outage that goes on is logged again
_PROBE_INTERVAL = (
    5.0  # seconds without a notification after which the listener asks whether the server is there
)
_MAX_STATUS_CHECKS = 100  # of a commit that was cut off and is still in progress
_MAX_NOTIFICATION_BYTES = 7900  # of a notification: the server accepts less than 8000
_PRESENT = "SELECT pg_advisory_lock_shared(hashtextextended(%(process)s::text, 0))"
"""Marks a session as one of a process; see `agent_core.store.wake_ups.workers`."""

_TIME = "SELECT extract(epoch FROM clock_timestamp())::float8"
_COLLISIONS = {"40001", "40P01"}  # serialization failure, deadlock: the transaction is retried

# A machine that is suspended in the middle of a transaction must not hold its locks for ever; a transaction is
# never idle for more than moments.
_log = get_logger(__name__)
_SESSION = "SET idle_in_transaction_session_timeout = '10s'", "SET lock_timeout = '10s'"


class _Listener:
    """Listens for the commits of other processes, in a thread and on a connection of its own.

    Notifications are hints. While the connection is lost, every feed counts as touched once a second, and again
    after the reconnection, because notifications that were sent meanwhile are lost.
    https://www.postgresql.org/docs/current/sql-notify.html

    Args:
        connect: opens a connection.
        sender: this process's name in notifications; its own are ignored.
        process: this process's name among the workers.
        on_foreign: called in the listener's thread with the touched feeds; None: any feed.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        sender: str,
        process: str,
        on_foreign: OnForeignCommit,
    ) -> None:
        self._connect = connect
        self._process = process
        self._sender = sender
        self._on_foreign = on_foreign
        self._thread = threading.Thread(target=self._main, name="agent_core-listener", daemon=True)
        self._inside, self._outside = socket.socketpair()  # a byte in it ends the thread
        self._closing = threading.Event()
        self.is_connected = False
        self._warned_at: float | None = None  # while the connection is lost

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close its connection."""
        self._closing.set()
        self._outside.send(b".")
        if self._thread.ident is not None:
            self._thread.join()
        self._inside.close()
        self._outside.close()

    def _main(self) -> None:
        while not self._closing.is_set():
            try:
                with contextlib.closing(self._connect()) as connection:
                    connection.autocommit = True
                    connection.execute(_PRESENT, {"process": self._process})
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._connected()
                    self._on_foreign(None)
                    self._listen(connection)
            except psycopg.Error as error:
                self._lost(error)
                self._on_foreign(None)
                self._closing.wait(_LISTEN_INTERVAL)

    def _connected(self) -> None:
        self.is_connected = True
        if self._warned_at is not None:
            _log.info("LISTEN connection is back")
            self._warned_at = None

    def _lost(self, error: psycopg.Error) -> None:
        self.is_connected = False
        now = time.monotonic()
        if self._warned_at is None or now >= self._warned_at + _WARNING_INTERVAL:
            message = "LISTEN connection lost; polling every %g s until it is back: %s"
            _log.warning(message, _LISTEN_INTERVAL, error)
            self._warned_at = now

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        server, asked = connection.pgconn, False
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._inside, selectors.EVENT_READ)
            while not self._closing.is_set():
                if not selector.select(_PROBE_INTERVAL):
                    if asked:
                        raise psycopg.OperationalError("the server does not answer")
                    server.send_query(f"LISTEN {_CHANNEL}".encode())
                    asked = True
                    continue
                server.consume_input()
                while asked and not server.is_busy():
                    asked = server.get_result() is not None
                while (notice := server.notifies()) is not None:
                    self._receive(notice.extra)

    def _receive(self, payload: bytes) -> None:
        try:
            sender, *feeds = json.loads(payload)
        except (ValueError, TypeError):  # another program uses the channel
            sender, feeds = "", []
        if sender != self._sender:
            self._on_foreign([str(feed) for feed in feeds] or None)


class PostgresConnection:
    """A session of a PostgreSQL server, and its successors after a loss.

    Args:
        engine: the engine; its URL has the address of the server.
        process: this process's name among the workers.
        on_foreign: called in the listener's thread.
        clock: the server's clock, which this session measures; None: another clock is used.
    """

    def __init__(
        self, engine: Engine, process: str, on_foreign: OnForeignCommit, clock: ServerClock | None = None
    ) -> None:
        self._engine = engine
        self._process = process
        self._connected_at: float | None = None  # in seconds of the monotonic clock
        self._clock = clock
        self._pipeline: Pipeline | None = None
        self._sender = new_id("n")[-10:]
        self._listener = _Listener(self._connect, self._sender, process, on_foreign)
        self._lost_at: float | None = None
        self._xid: Any = None
        self._in_doubt: str | None = None  # the transaction whose COMMIT was not answered

    @property
    def is_listening(self) -> bool:
        """Whether the listener is connected."""
        return self._listener.is_connected

    @property
    def uptime(self) -> float:
        """Seconds since the server was connected last; 0.0 while it is not."""
        return 0.0 if self._connected_at is None else time.monotonic() - self._connected_at

    @property
    def cursor(self) -> Pipeline:
        """The pipeline, on which statements are executed."""
        assert self._pipeline is not None, "begin comes first"
        return self._pipeline

    def open(self) -> None:
        """Connect, and start to listen."""
        self._listener.start()
        with contextlib.suppress(psycopg.Error):  # the first write retries and raises
            self._reconnect()

    def begin(self) -> bool:
        """Begin a transaction, on a new connection if the last one is lost."""
        if self._pipeline is None:
            self._reconnect()
        pipeline = self.cursor
        if self._clock is not None and self._clock.is_doubtful:
            self._measure(self._clock)
        if self._in_doubt is not None and self._is_committed(self._in_doubt):
            return False
        pipeline.execute("BEGIN")
        self._xid = pipeline.execute("SELECT pg_current_xact_id()::text")
        return True

    def run_independent(self, functions: Sequence[Callable[[], None]]) -> None:
        """Interleave the functions to share round trips, which take most of a step's time."""
        if len(functions) == 1:
            functions[0]()
        else:
            interleave(functions, self.cursor.receive)

    def commit(self, touched: Collection[str]) -> None:
        """Commit and notify in one transaction, so that the change and its notification are seen together."""
        pipeline = self.cursor
        if touched:
            pipeline.execute(
                "SELECT pg_notify(%(channel)s::text, %(payload)s::text)",
                {"channel": _CHANNEL, "payload": _payload(self._sender, touched)},
            )
        ((xid,),) = self._xid.fetchall()
        self._in_doubt = xid
        pipeline.settle("COMMIT")
        self._in_doubt = self._lost_at = None

    def roll_back(self) -> None:
        """Roll back; close the connection if that fails."""
        if self._pipeline is None:
            return
        try:
            self._pipeline.settle("ROLLBACK")
            self._in_doubt = None
        except psycopg.Error:
            self._give_up()

    def may_retry(self, error: BaseException) -> bool:
        """Wait a moment and return True after a collision, or while the server has been away for some seconds."""
        lost = isinstance(error, psycopg.Error) and self._pipeline is None
        collided = isinstance(error, psycopg.Error) and error.sqlstate in _COLLISIONS
        if lost and self._lost_at is not None and time.monotonic() - self._lost_at > _RECONNECT_TIMEOUT:
            self._in_doubt = None
            return False
        if lost or collided:
            time.sleep(_RETRY_INTERVAL)
        return lost or collided

    def check_foreign_commits(self) -> None:
        """Do nothing: the listener gets notifications."""

    def keep_up(self) -> None:
        """Do nothing: the server makes its own checkpoints."""

    def check_clock(self) -> None:
        """Measure the server's clock if that is due."""
        if self._clock is not None and self._pipeline is not None and self._clock.is_due:
            try:
                self._measure(self._clock)
            except psycopg.Error:
                self._give_up()  # the next transaction connects again

    def _measure(self, clock: ServerClock) -> None:
        clock.measure(lambda: self.cursor.settle(_TIME).fetchall()[0][0])

    def close(self) -> None:
        """Disconnect."""
        self._listener.close()
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def _connect(self) -> psycopg.Connection[Any]:
        connection = self._engine.raw_connection()
        driver: Any = connection.driver_connection
        connection.detach()  # it leaves the pool
        return driver

    def _reconnect(self) -> None:
        try:
            self._pipeline = pipeline = _pipelined(self._connect())
            pipeline.execute(_SESSION[0])
            pipeline.settle(_SESSION[1])
            pipeline.settle(_PRESENT, {"process": self._process})
            self._connected_at = time.monotonic()
            if self._clock is not None:
                self._measure(self._clock)
        except psycopg.Error:
            self._give_up()
            raise

    def _give_up(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
        self._pipeline = self._connected_at = None
        self._lost_at = self._lost_at or time.monotonic()

    def _is_committed(self, xid: str) -> bool:
        """Whether a transaction was committed although its COMMIT was not answered."""
        # https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
        for _ in range(_MAX_STATUS_CHECKS):
            answer = self.cursor.settle("SELECT pg_xact_status(%(xid)s::xid8)", {"xid": xid})
            ((status,),) = answer.fetchall()
            if status != "in progress":
                self._in_doubt = self._lost_at = None
                return status == "committed"
            time.sleep(_RETRY_INTERVAL)
        raise DatabaseError(
            "The database server does not say whether a commit succeeded; check before you repeat it.",
            is_temporary=True,  # with a fence, the same write is safe
        )


def _pipelined(connection: psycopg.Connection[Any]) -> Pipeline:
    try:
        return Pipeline(connection)
    except BaseException:  # the connection was lost at once
        connection.close()
        raise


def _payload(sender: str, touched: Collection[str]) -> str:
    """Return the payload of a notification: the sender and the feeds; without them if they are too many."""
    payload = json.dumps([sender, *touched])
    return payload if len(payload) < _MAX_NOTIFICATION_BYTES else json.dumps([sender])
