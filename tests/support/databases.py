"""Databases for the tests of agent_core: SQLite files, or PostgreSQL databases in their place.

Tests always name their database by a path. On PostgreSQL each path maps to a separate database on the single
server of the test run: `url` returns its URL, and `prepare` creates the database from a template.
"""

from __future__ import annotations

import functools
import hashlib
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from agent_core.store.database.migrate import COMPATIBILITY, VERSION_TABLE, migrate
from agent_core.store.database.open import opened
from agent_core.store.database.tables import metadata
from tests.tools.postgresql import PostgreSQL

_TEMPLATE = "template_of_tests"
_OF_ENGINE = [
    f"procrastinate_{table}" for table in ("events", "periodic_defers", "jobs", "workers")
]  # references first
DERIVED = {"usage_seq", "search_cursor"}
"""Columns that a worker writes some time after the transaction that they follow."""


class Place:
    """The databases of the running test's paths; set by the fixture `database`."""

    server: PostgreSQL | None = None  # None: SQLite files
    with_engine = False  # whether the test's databases may have Procrastinate's tables
    made: dict[str, str]  # path -> database
    # Empty databases of earlier tests, by server and `with_engine`; creating one takes twenty times as long.
    free: defaultdict[tuple[PostgreSQL, bool], list[str]]
    # Connections that empty databases; a new one takes seven times as long, to look up every table.
    _cleaners: dict[str, tuple[PostgreSQL, psycopg.Connection[tuple[object, ...]]]]

    def __init__(self) -> None:
        self.made = {}
        self.free = defaultdict(list)
        self._cleaners = {}

    def clear(self) -> None:
        """Release the databases of a finished test; those with only the library's tables are reused."""
        server, made = self.server, list(self.made.values())
        self.made.clear()
        self.server, self.with_engine = None, False
        for name in made:
            if server is not None:
                self._empty(server, name)

    def close(self, server: PostgreSQL) -> None:
        """Forget the databases of a server that is about to stop."""
        for name in [name for name, (of, _) in self._cleaners.items() if of is server]:
            self._cleaners.pop(name)[1].close()
        for with_engine in (False, True):
            self.free.pop((server, with_engine), None)

    def _empty(self, server: PostgreSQL, name: str) -> None:
        try:
            with_engine = self._delete_rows(server, name)
        except psycopg.OperationalError:  # the server has started again since
            self._cleaners.pop(name)[1].close()
            with_engine = self._delete_rows(server, name)
        if with_engine is not None:
            self.free[server, with_engine].append(name)
        else:
            self._cleaners.pop(name)[1].close()
            server.execute(f'drop database if exists "{name}" with (force)')

    def _delete_rows(self, server: PostgreSQL, name: str) -> bool | None:
        """Disconnect others and delete all rows.

        Return whether Procrastinate's tables are there; None if a test has made or dropped other tables.
        """
        if name not in self._cleaners:
            self._cleaners[name] = server, server.connect(name)
        _, connection = self._cleaners[name]
        others = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
        ours = {table.name for table in metadata.sorted_tables}
        connection.execute(others.encode())
        found = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        more = {table for (table,) in found} - {*ours, VERSION_TABLE}
        if len(found) != len(ours) + 1 + len(more) or not more <= {*_OF_ENGINE}:
            return None
        emptied = [*(_OF_ENGINE if more else ()), *sorted(ours - {COMPATIBILITY.name})]
        connection.execute("; ".join(f"delete from {table}" for table in emptied).encode())
        return bool(more)


PLACE = Place()


@contextmanager
def serving(server: PostgreSQL) -> Generator[None]:
    """Map the paths of a test to another server for a block."""
    PLACE.server = server
    try:
        yield
    finally:
        PLACE.clear()
        PLACE.close(server)


def url(path: Path | str) -> str:
    """Return the URL of the database for `path` in the running test; create the database if necessary.

    A URL is returned unchanged, because a child process gets URLs only.
    """
    if "://" in str(path):
        return str(path)
    if PLACE.server is None:
        return f"sqlite:///{path}"
    return PLACE.server.url(_database(PLACE.server, str(path)))


P = TypeVar("P", bound=Path | str)


def prepare(path: P) -> P:
    """Create an empty database of the current schema at `path` unless one exists; migrating takes longer."""
    if "://" in str(path):
        return path
    if PLACE.server is not None:
        _database(PLACE.server, str(path))
    elif not Path(path).exists():
        Path(path).write_bytes(_blank())
    return path


def prepared(path: Path | str) -> str:
    """Return the URL of a database of the current schema at `path`, empty if it is new."""
    return url(prepare(path))


def select_all(path: Path | str, tables: Iterable[Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the tables in the order of their keys, without what workers derive from them later."""
    connection: Any = (
        sqlite3.connect(path) if PLACE.server is None else psycopg.connect(url(path).replace("+psycopg", ""))
    )
    with closing(connection):
        return {table.name: connection.execute(_select(table)).fetchall() for table in tables}


def _select(table: Any) -> str:
    columns = ", ".join(column.name for column in table.columns if column.name not in DERIVED)
    return f"select {columns} from {table.name} order by {', '.join(column.name for column in table.primary_key)}"


def _database(server: PostgreSQL, path: str) -> str:
    if path not in PLACE.made:
        free = PLACE.free[server, PLACE.with_engine] or PLACE.free[server, False]
        PLACE.made[path] = free.pop() if free else _new(server, path)
    return PLACE.made[path]


def _new(server: PostgreSQL, path: str) -> str:
    name = "test_" + hashlib.sha256(path.encode()).hexdigest()[:16]
    server.execute(f"create database {name} template {_template(server)} strategy file_copy")
    return name


@functools.cache
def _template(server: PostgreSQL) -> str:
    server.execute(f"create database {_TEMPLATE}")
    with opened(server.url(_TEMPLATE), "") as (engine, *_):
        migrate(engine)
    return _TEMPLATE


@functools.cache
def _blank() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agents.db"
        with opened(f"sqlite:///{path}", "NORMAL") as (engine, *_):
            migrate(engine)
        return path.read_bytes()
