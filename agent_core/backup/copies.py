"""Back up, restore and move a database: each is a copy, with checks before it and after it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from agent_core.backup.rows import copy_rows, count_threads, drop_tables, is_empty, other_tables
from agent_core.backup.sqlite_file import check_file, copy_file, new_file, require_unused
from agent_core.errors import DatabaseError, ValidationError
from agent_core.store.database.migrate import (
    LIBRARY,
    Migrations,
    exclude_migrations,
    is_newer,
    schema_of,
)
from agent_core.store.database.open import database_path, opened, parse_url, translate

_IN_USE = text(
    "select pid from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and granted "
    "and pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())"
)
"""Finds the sessions of processes that mark their presence; see `agent_core.store.wake_ups.workers`."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied.

    Attributes:
        threads: number of threads.
        schema: revision of the schema.
        kept: the file in which the replaced database is; None if there was none, or it is gone.
        left_out: names of tables of other programs, which were not copied.
    """

    threads: int
    schema: str
    kept: Path | None = None
    left_out: tuple[str, ...] = ()


def back_up_database(database_url: str, file: Path, *, chains: Sequence[Migrations] = ()) -> Copied:
    """Copy a database, as it is at one moment, into a new SQLite file; programs may use it meanwhile. Blocks.

    The file gets its name when it is whole, checked and on the disk.

    Args:
        database_url: the database.
        file: a file that does not exist.
        chains: migrations of the application's own tables.

    Raises:
        ValidationError: the URL is not usable, or the file exists.
        DatabaseError: the database or the file cannot be used; there is no file then.
    """
    all_chains, path = (LIBRARY, *chains), _file_of(database_url)
    with new_file(file) as temporary:
        if path is not None:
            copy_file(path, temporary)
            left_out = ()
        else:
            with _snapshot(database_url) as source, _whole(f"sqlite:///{temporary}") as target:
                copy_rows(source, target, all_chains)
                left_out = other_tables(source, all_chains)
        check_file(temporary)
        return replace(_summary(temporary, all_chains), left_out=left_out)


def restore_database(
    file: Path, database_url: str, *, overwrite: bool = False, chains: Sequence[Migrations] = ()
) -> Copied:
    """Copy a backup into a database that no program uses; it is copied whole, or not at all. Blocks.

    The schema is that of the backup: the next start upgrades it.

    Args:
        file: the backup; any SQLite database of this library will do.
        database_url: the database.
        overwrite: whether to replace what is in the database; that of a SQLite file is kept in another file.
        chains: migrations of the application's own tables.

    Raises:
        ValidationError: the URL is not usable, or the database has threads and `overwrite` is False.
        DatabaseError: the backup is damaged or of another version, or the database is in use or cannot be used.
    """
    if not file.is_file():
        raise ValidationError(f"There is no backup {file}.")
    all_chains = (LIBRARY, *chains)
    check_file(file)
    summary = _summary(file, all_chains)
    path = database_path(parse_url(database_url))
    if path is not None:
        return _restore_file(file, path, overwrite, summary, all_chains)
    with _reading(file) as source, _whole(database_url) as target:
        _prepare(target, overwrite, all_chains)
        copy_rows(source, target, all_chains)
        return replace(summary, left_out=other_tables(source, all_chains))


def move_database(source_url: str, target_url: str, *, chains: Sequence[Migrations] = ()) -> Copied:
    """Copy a database that no program uses into an empty one, of the same or of the other kind. Blocks.

    The source stays as it is. It must not be used any more, as both would do the work that is due.

    Raises:
        ValidationError: a URL is not usable, or the target has threads.
        DatabaseError: a database is in use or cannot be used; the target is unchanged.
    """
    path = _file_of(source_url)
    if path is not None:
        require_unused(path)
        return restore_database(path, target_url, chains=chains)
    all_chains = (LIBRARY, *chains)
    target_path = database_path(parse_url(target_url))
    if target_path is not None and _is_file(target_path):
        require_unused(target_path)
    with _snapshot(source_url) as source:
        _require_no_program(source)
        with _whole(target_url) as target:
            _prepare(target, False, all_chains)
            copy_rows(source, target, all_chains)
            left_out = other_tables(source, all_chains)
            return Copied(count_threads(target), str(schema_of(target)), left_out=left_out)


def _restore_file(
    file: Path, path: Path, overwrite: bool, summary: Copied, chains: Sequence[Migrations]
) -> Copied:
    kept = None
    if _is_file(path):
        require_unused(path)
        with _reading(path) as connection:
            has_content = not is_empty(connection, chains)
        if has_content and not overwrite:
            raise _has_content(str(path))
        if has_content:
            kept = path.with_name(f"{path.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
            with new_file(kept) as temporary:
                copy_file(path, temporary)
    path.parent.mkdir(parents=True, exist_ok=True)
    copy_file(file, path)
    return replace(summary, kept=kept)


def _is_file(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _prepare(target: Connection, overwrite: bool, chains: Sequence[Migrations]) -> None:
    """Empty a server's database, or refuse one that has rows or is in use."""
    exclude_migrations(target)  # a program that starts now waits until the copy is there
    _require_no_program(target)
    if not is_empty(target, chains) and not overwrite:
        raise _has_content(repr(target.engine.url))
    drop_tables(target, chains)


def _require_no_program(connection: Connection) -> None:
    if connection.dialect.name == "postgresql" and connection.execute(_IN_USE).first() is not None:
        raise DatabaseError("The database is in use. Stop every program that uses it, and try again.")


def _has_content(name: str) -> ValidationError:
    return ValidationError(
        f"The database {name} has content. Choose an empty one, or replace it (--replace)."
    )


def _file_of(database_url: str) -> Path | None:
    """Return the file of a database to read; None for a server.

    Raises:
        ValidationError: there is no such file.
    """
    url = parse_url(database_url)
    path = database_path(url)
    if path is None and url.get_backend_name() == "sqlite":
        raise ValidationError("A database in memory cannot be copied; give the URL of a file.")
    if path is not None and not path.is_file():
        raise ValidationError(f"There is no database {path}.")
    return path


def _summary(path: Path, chains: Sequence[Migrations]) -> Copied:
    with _reading(path) as connection:
        schema = schema_of(connection)
        if schema is None:
            raise DatabaseError(f"{path} is not a database of this library, or no program has started on it.")
        for chain in chains:
            is_newer(connection, chain)  # raises if this version may not use it
        return Copied(count_threads(connection), schema)


@contextlib.contextmanager
def _reading(path: Path) -> Generator[Connection]:
    """Connect to a SQLite file, which need not be writable, for a block."""
    with _connected(create_engine(f"sqlite:///file:{path.absolute()}?mode=ro&uri=true")) as connection:
        yield connection


@contextlib.contextmanager
def _snapshot(database_url: str) -> Generator[Connection]:
    """Read a server's database as it is at one moment, for a block; nobody changes its schema meanwhile."""
    with opened(database_url, "NORMAL") as database, _connected(database.writer) as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        names = inspect(connection).get_table_names()
        connection.rollback()  # so that the snapshot is made when the locks are held
        if names:
            quoted = ", ".join(f'"{name}"' for name in names)
            connection.execute(text(f"lock table {quoted} in access share mode"))
        yield connection


@contextlib.contextmanager
def _connected(engine: Engine) -> Generator[Connection]:
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        cause = error.__cause__ or error.__context__
        raise translate(cause if cause is not None else error) from error
    finally:
        engine.dispose()


@contextlib.contextmanager
def _whole(database_url: str) -> Generator[Connection]:
    """Write to a database in one transaction: the block's, which is rolled back if it fails."""
    try:
        with opened(database_url, "FULL") as database, database.writer.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        cause = error.__cause__ or error.__context__
        raise translate(cause if cause is not None else error) from error
