"""One PostgreSQL connection in libpq's pipeline mode: statements are sent, and waited for when looked at.

A round trip costs as much as the statement itself, and most statements of a transaction are writes
whose answer nobody looks at. So `execute` only sends; the first look at a result, or the commit,
receives everything that was sent, also what others
asked meanwhile (see `together`). An error of a statement that nobody looked at is raised by then.
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import itertools
import re
import selectors
from collections import deque
from collections.abc import Mapping
from typing import Any

from psycopg import Connection, errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from agent_core.store.database.interleave import step_aside

_READ, _BOTH = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE
_NAMED = re.compile(r"%\((\w+)\)s")
_TEXT = PyFormat.TEXT
_SYNC: tuple[None, str] = (None, "")


class Result:
    """What a statement came to; it is waited for at the first look."""

    __slots__ = ("_pipeline", "answer", "error")

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.answer: PGresult | None = None
        self.error: Exception | None = None

    @property
    def rowcount(self) -> int:
        """The number of rows it landed on."""
        return self._pipeline.wait_for(self).command_tuples or 0

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return every row."""
        return self._pipeline.rows(self._pipeline.wait_for(self))


class Pipeline:
    """Sends statements over a connection that nobody else uses any more.

    Args:
        connection: an open connection, outside of a transaction.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._pg: PGconn = connection.pgconn
        self._pg.enter_pipeline_mode()
        self._transformer = Transformer(connection)
        self._prepared: dict[str, tuple[bytes, tuple[str, ...], list[PyFormat]]] = {}
        self._numbers = itertools.count()
        self._sent: deque[tuple[Result | None, str]] = deque()  # no result: a preparation, or _SYNC
        self._error: Exception | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pg.socket, _READ)

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> Result:
        """Send a statement with `%(name)s` in the places of its values; it is prepared once."""
        name, order, formats = self._prepared.get(sql) or self._prepare(sql)
        dumped = self._transformer.dump_sequence([values[key] for key in order], formats) if values else None
        self._pg.send_query_prepared(name, dumped)
        result = Result(self)
        self._sent.append((result, sql))
        return result

    def wait_for(self, result: Result) -> PGresult:
        """Return a statement's answer.

        Raises:
            psycopg.Error: this statement, or one before it, was refused.
        """
        if result.answer is None and result.error is None and not step_aside():
            self.receive()
        if result.error is not None:
            raise result.error
        assert result.answer is not None
        return result.answer

    def rows(self, answer: PGresult) -> list[tuple[Any, ...]]:
        """Return the rows of an answer as Python's values."""
        self._transformer.set_pgresult(answer)
        return self._transformer.load_rows(0, answer.ntuples, tuple)

    def settle(self, sql: str, values: Mapping[str, Any] | None = None) -> Result:
        """Send a statement that ends a transaction and wait until everything sent is answered.

        Raises:
            psycopg.Error: a statement was refused, by a COMMIT too; then ROLLBACK comes next.
        """
        if sql == "ROLLBACK":
            self.receive()  # after an error the server skips everything up to here
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

    def _prepare(self, sql: str) -> tuple[bytes, tuple[str, ...], list[PyFormat]]:
        order = tuple(dict.fromkeys(_NAMED.findall(sql)))
        places = {key: f"${number}" for number, key in enumerate(order, 1)}
        name = f"s{next(self._numbers)}".encode()
        text = _NAMED.sub(lambda match: places[match[1]], sql).replace("%%", "%")
        self._pg.send_prepare(name, text.encode())
        self._sent.append((None, sql))
        self._prepared[sql] = known = (name, order, [_TEXT] * len(order))
        return known

    def receive(self) -> None:
        """Wait until everything sent is answered; what was refused says so when it is looked at.

        Raises:
            psycopg.Error: the connection was lost.
        """
        # Not merely a flush: between synchronisations the server does not see that a transaction is
        # idle, and would let a client that fell asleep keep its locks for ever.
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
        while self._pg.flush():  # more than the socket takes at once; the server may wait for us too
            self._selector.modify(self._pg.socket, _BOTH)
            if any(event & _READ for _, event in self._selector.select()):
                self._pg.consume_input()
            self._selector.modify(self._pg.socket, _READ)
        while self._pg.is_busy():
            self._selector.select()
            self._pg.consume_input()
        return self._pg.get_result()
