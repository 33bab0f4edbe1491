"""The database of the threads, for tables of the application itself, with its own migrations.

An application keeps rows there that threads do not need, such as its users, so that one backup has everything.
Its tables have names and a chain of migrations of their own; see `Migrations`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlmodel import Session

from agent_core.store.database.migrate import Migrations, migrate
from agent_core.store.database.open import OpenDatabase, opened, retry_reads, translate

__all__ = ["APP_KINDS", "AppDatabase", "Migrations", "migrate_app", "open_app_database"]

APP_KINDS: dict[str, str] = {}
"""Kinds of rows in reports of storage, by table of the application, of each chain that was opened."""

R = TypeVar("R")


@retry_reads
class AppDatabase:
    """An open database; its methods block, and may be called from any thread.

    Raises:
        DatabaseError: (from both methods) the database refused, or was away for too long.
    """

    def __init__(self, database: OpenDatabase) -> None:
        self._reader = database.reader
        self._writer = database.writer

    def read(self, function: Callable[..., R], *args: Any) -> R:
        """Return `function(session, *args)`, which reads one consistent snapshot."""
        with _session(self._reader) as session:
            return function(session, *args)

    def write(self, function: Callable[..., R], *args: Any) -> R:
        """Return `function(session, *args)`, whose changes are committed; an exception rolls them back.

        The function runs again if the server goes away before the commit, so it has no other effects.
        """
        with _session(self._writer) as session:
            result = function(session, *args)
            session.flush()
            _commit(session)
            return result


def _session(engine: Engine) -> Session:
    return Session(engine, expire_on_commit=False)


def _commit(session: Session) -> None:
    """Commit once: after an error nobody knows whether the server did it.

    Raises:
        DatabaseError: the database refused, or went away.
    """
    try:
        session.commit()
    except Exception as error:
        raise translate(error) from error


@contextlib.contextmanager
def open_app_database(database_url: str, chain: Migrations) -> Generator[AppDatabase]:
    """Open the database at a URL, upgrade the application's tables, and close it at the end.

    Raises:
        ValidationError: the URL is not usable.
        DatabaseError: the database cannot be used, or a newer version excludes this one.
    """
    with opened(database_url, "NORMAL") as database:
        migrate(database.writer, chain)
        APP_KINDS.update({table: kind for kind, tables in chain.kinds.items() for table in tables})
        yield AppDatabase(database)


def migrate_app(database_url: str, chain: Migrations) -> None:
    """Upgrade the application's tables in the database at a URL; see `open_app_database`."""
    with open_app_database(database_url, chain):
        pass
