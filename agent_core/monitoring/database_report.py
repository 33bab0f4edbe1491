"""Look at a database without changing it, for those who operate a program."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from agent_core.store.database.migrate import LIBRARY, Migrations, is_newer, newest_schema, schema_of
from agent_core.store.database.open import database_path, opened, parse_url, translate
from agent_core.store.database.postgresql.pooler import refuse_transaction_pooling

_TIME = text("select extract(epoch from clock_timestamp())::float8")
_SESSIONS = text(
    "select distinct pid from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and granted and database ="
    " (select oid from pg_database where datname = current_database()) order by pid"
)
"""The sessions of processes that mark their presence; see `agent_core.store.wake_ups.workers`."""


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """What a database is like.

    Attributes:
        exists: False for a SQLite file that the first start will make.
        schemas: for each chain of migrations the revision of the database, None if it has none, and this version's.
        clock_offset: seconds by which the server's clock is ahead of this machine's; None for a file.
        users: ids of the other processes that have a SQLite file open, as far as Linux tells this user, or of the sessions of
            processes at a server.
    """

    exists: bool
    schemas: tuple[tuple[str | None, str], ...] = ()
    clock_offset: float | None = None
    users: tuple[int, ...] = ()


def inspect_database(database_url: str, chains: Sequence[Migrations] = ()) -> DatabaseReport:
    """Check that a database can be used, and describe it; blocks.

    Args:
        database_url: the database.
        chains: migrations of the application's own tables.

    Raises:
        ValidationError: the URL is not usable.
        DatabaseError: the database is locked, read-only, damaged, out of reach, behind a pooler of transactions, or of
            a newer version that excludes this one.
    """
    path = database_path(parse_url(database_url))
    if path is not None and not path.exists():
        return DatabaseReport(exists=False)
    users = () if path is None else _users_of(path)
    try:
        with opened(database_url, "NORMAL") as database:
            if path is None:
                refuse_transaction_pooling(database.writer)
            return _report(database.reader, users, (LIBRARY, *chains))
    except SQLAlchemyError as error:
        cause = error.__cause__ or error.__context__
        raise translate(cause if cause is not None else error) from error


def _report(engine: Engine, users: tuple[int, ...], chains: Sequence[Migrations]) -> DatabaseReport:
    with engine.connect() as connection:
        schemas = tuple((schema_of(connection, chain), newest_schema(chain)) for chain in chains)
        for chain in chains:
            is_newer(connection, chain)  # raises if this version may not use it
        if engine.dialect.name == "sqlite":
            return DatabaseReport(True, schemas, None, users)
        sessions = tuple(connection.execute(_SESSIONS).scalars())
        return DatabaseReport(True, schemas, _clock_offset(connection), sessions)


def _clock_offset(connection: Connection) -> float:
    began = time.time()
    server = connection.execute(_TIME).scalar_one()
    return float(server) - (began + time.time()) / 2


def _users_of(path: Path) -> tuple[int, ...]:
    """Return the ids of the other processes that have a file open, as far as Linux tells this user."""
    file = str(path.resolve())
    found = (int(process.name) for process in Path("/proc").glob("[0-9]*") if _has_open(process, file))
    return tuple(sorted(pid for pid in found if pid != os.getpid()))


def _has_open(process: Path, file: str) -> bool:
    try:
        return any(str(handle.readlink()) == file for handle in (process / "fd").iterdir())
    except OSError:  # another user's, or it has ended
        return False
