"""Send statements over a PostgreSQL connection in libpq's pipeline mode, and receive their results when needed.

A round trip costs as much as a statement, and most statements of a transaction are writes whose result is never
read. So `execute` only sends; reading a result, or the commit, receives the results of everything that was sent,
also by interleaved functions (see `interleave`). It also raises the errors of unread statements.
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import itertools
import re
import selectors
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg import Connection, errors
from psycopg.abc import RV, PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from agent_core.store.database.interleave import switch

ANSWER_TIMEOUT = 15.0
"""Seconds after which a connection counts as lost because the server has not answered; longer than a wait for a lock.

TCP does not notice: a proxy or a frozen server acknowledges what it never answers.
"""

_NO_ANSWER = f"the server has not answered for {ANSWER_TIMEOUT:g} s"
_INTERVAL = 0.1  # seconds between checks for interrupts
_READ, _BOTH = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE
_NAMED = re.compile(r"%\((\w+)\)s")
_TEXT = PyFormat.TEXT
_SYNC: tuple[None, str] = (None, "")


class AnsweredConnection(Connection[Any]):
    """A connection that is closed when the server does not answer in time.

    Attributes:
        answer_timeout: maximum number of seconds of one wait for the server; None: it may take any time.
    """

    answer_timeout: float | None = ANSWER_TIMEOUT

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:
        """Run a generator of psycopg until it ends.

        Raises:
            OperationalError: the server did not answer in time; the connection is closed.
        """
        most = self.answer_timeout if timeout is None else timeout
        deadline = float("inf") if most is None or timeout is not None else time.monotonic() + most
        try:
            return super().wait(gen, interval, most)
        except errors.OperationalError:
            if time.monotonic() < deadline:
                raise
            self.pgconn.finish()
            raise errors.OperationalError(_NO_ANSWER) from None


class Result:
    """The result of a statement; reading it waits for its arrival."""

    __slots__ = ("_pipeline", "answer", "error")

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.answer: PGresult | None = None
        self.error: Exception | None = None

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement changed."""
        return self._pipeline.wait_for(self).command_tuples or 0

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return every row."""
        return self._pipeline.rows(self._pipeline.wait_for(self))


class _Prepared(NamedTuple):
    name: bytes
    parameters: tuple[str, ...]
    formats: list[PyFormat]


class Pipeline:
    """Sends statements over a connection of its own.

    Args:
        connection: an open connection, outside of a transaction.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._pg: PGconn = connection.pgconn
        self._pg.enter_pipeline_mode()
        self._transformer = Transformer(connection)
        self._prepared: dict[str, _Prepared] = {}
        self._numbers = itertools.count()
        self._sent: deque[tuple[Result | None, str]] = deque()  # without a result: a preparation, or _SYNC
        self._error: Exception | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pg.socket, _READ)

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> Result:
        """Send a statement with placeholders such as `%(name)s`; it is prepared once."""
        known = self._prepared.get(sql) or self._prepare(sql)
        given = [values[key] for key in known.parameters] if values else None
        dumped = None if given is None else self._transformer.dump_sequence(given, known.formats)
        self._pg.send_query_prepared(known.name, dumped)
        result = Result(self)
        self._sent.append((result, sql))
        return result

    def wait_for(self, result: Result) -> PGresult:
        """Return the answer to a statement.

        Raises:
            psycopg.Error: this statement, or an earlier one, was refused.
        """
        if result.answer is None and result.error is None and not switch():
            self.receive()
        if result.error is not None:
            raise result.error
        assert result.answer is not None
        return result.answer

    def rows(self, answer: PGresult) -> list[tuple[Any, ...]]:
        """Return the rows of an answer as Python values."""
        self._transformer.set_pgresult(answer)
        return self._transformer.load_rows(0, answer.ntuples, tuple)

    def settle(self, sql: str, values: Mapping[str, Any] | None = None) -> Result:
        """Send a statement that ends a transaction, and receive every outstanding answer.

        Raises:
            psycopg.Error: a statement or the COMMIT was refused; call it with ROLLBACK next.
        """
        if sql == "ROLLBACK":
            self.receive()  # after an error the server skips all statements up to here
            self._error = None
        result = self.execute(sql, values)
        self.receive()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return result

    def close(self) -> None:
        """Close the connection."""
        self._selector.close()
        self._connection.close()

    def _prepare(self, sql: str) -> _Prepared:
        order = tuple(dict.fromkeys(_NAMED.findall(sql)))
        places = {key: f"${number}" for number, key in enumerate(order, 1)}
        name = f"s{next(self._numbers)}".encode()
        text = _NAMED.sub(lambda match: places[match[1]], sql).replace("%%", "%")
        self._pg.send_prepare(name, text.encode())
        self._sent.append((None, sql))
        self._prepared[sql] = known = _Prepared(name, order, [_TEXT] * len(order))
        return known

    def receive(self) -> None:
        """Receive every outstanding answer; reading the result of a refused statement raises its error.

        Raises:
            psycopg.Error: the connection was lost.
        """
        # Not merely a flush: without a sync the server does not know that a transaction is idle, and a
        # suspended client would keep its locks for ever.
        self._pg.pipeline_sync()
        self._sent.append(_SYNC)
        while self._sent:
            self._receive()

    def _receive(self) -> None:
        result, sql = entry = self._sent.popleft()
        answer = self._next()
        if answer is None or (entry is _SYNC) != (answer.status == ExecStatus.PIPELINE_SYNC):
            raise errors.OperationalError("the connection to the server was lost")
        if entry is _SYNC:
            return
        if answer.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            if result is not None:
                result.answer = answer
        else:
            if answer.status != ExecStatus.PIPELINE_ABORTED and self._error is None:
                self._error = errors.error_from_result(answer)
            if result is None:
                del self._prepared[sql]
            else:
                result.error = self._error
        self._next()  # each statement's answer ends with None

    def _next(self) -> PGresult | None:
        while self._pg.flush():  # the socket's buffer is full; the server may be waiting for us to read
            self._selector.modify(self._pg.socket, _BOTH)
            if any(event & _READ for _, event in self._select()):
                self._pg.consume_input()
            self._selector.modify(self._pg.socket, _READ)
        while self._pg.is_busy():
            self._select()
            self._pg.consume_input()
        return self._pg.get_result()

    def _select(self) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._selector.select(ANSWER_TIMEOUT)
        if not found:
            raise errors.OperationalError(_NO_ANSWER)
        return found
