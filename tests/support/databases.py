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
DERIVED = {"usage_seq", "search_cursor"}
"""Columns that a worker writes some time after the transaction that they follow."""


class Place:
    """The databases of the running test's paths; set by the fixture `database`."""

    server: PostgreSQL | None = None  # None: SQLite files
    made: dict[str, str]  # path -> database
    # Empty databases of earlier tests, by server; creating one takes twenty times as long.
    free: defaultdict[PostgreSQL, list[str]]

    def __init__(self) -> None:
        self.made = {}
        self.free = defaultdict(list)

    def clear(self) -> None:
        """Release the databases of a finished test; those with only the library's tables are reused."""
        server, made = self.server, list(self.made.values())
        self.made.clear()
        self.server = None
        for name in made:
            if server is not None:
                self._empty(server, name)

    def _empty(self, server: PostgreSQL, name: str) -> None:
        others = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
        ours = sorted(table.name for table in metadata.sorted_tables)
        with server.connect(name) as connection:  # only one, as connecting takes longer than the queries
            connection.execute(others.encode())
            found = connection.execute(
                "select tablename from pg_tables where schemaname = 'public'"
            ).fetchall()
            as_made = {table for (table,) in found} == {*ours, VERSION_TABLE}
            if as_made:
                emptied = (table for table in ours if table != COMPATIBILITY.name)
                connection.execute("; ".join(f"delete from {table}" for table in emptied).encode())
        if as_made:
            self.free[server].append(name)
        else:
            server.execute(f'drop database if exists "{name}" with (force)')


PLACE = Place()


@contextmanager
def serving(server: PostgreSQL) -> Generator[None]:
    """Map the paths of a test to another server for a block."""
    PLACE.server = server
    try:
        yield
    finally:
        PLACE.clear()


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
        free = PLACE.free[server]
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
