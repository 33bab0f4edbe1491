"""Upgrade a database to this version's schema, at start, in one transaction.

An application with tables of its own in the same database has a second chain of migrations; see `Migrations`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, Text, column, inspect, select, table, text
from sqlalchemy.exc import SQLAlchemyError

from agent_core.errors import DatabaseError
from agent_core.store.database.open import opened, translate, write_ahead
from agent_core.store.database.postgresql.pooler import refuse_transaction_pooling
from agent_core.store.database.tables import CompatibilityRow, WorkerRow, metadata
from agent_core.support.logs import get_logger

VERSION_TABLE = "agent_schema"
COMPATIBILITY = metadata.tables[str(CompatibilityRow.__tablename__)]
_FOLDER = Path(__file__).parent.parent / "migrations"
_log = get_logger(__name__)
_LOCK = 7_236_401_885  # an arbitrary number: on PostgreSQL one process migrates at a time


@dataclass(frozen=True, slots=True)
class Migrations:
    """A chain of migrations, and the tables that say how far a database has come.

    Attributes:
        folder: alembic's folder, with `env.py` and `versions/`, whose files are named after their revisions and sort
            as these follow each other, such as 0024_pauses.py.
        version_table: the name of alembic's table, different for each chain of a database.
        compatibility: the table, with a column `compatible_from`, of the oldest revision whose program may use
            the schema; a migration of the chain creates it and its only row. Its metadata has the chain's tables.
        filled: names of further tables that have rows as soon as a program has started.
        kinds: tables by what their rows are, such as {"people": ("chat_person",)}, for the report of what is stored.
    """

    folder: Path
    version_table: str
    compatibility: Table
    filled: frozenset[str] = frozenset()
    kinds: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]], hash=False)


LIBRARY = Migrations(_FOLDER, VERSION_TABLE, COMPATIBILITY, frozenset({str(WorkerRow.__tablename__)}))
"""This library's migrations."""


def migrate_database(database_url: str) -> None:
    """Upgrade the database at a URL to this version's schema, as every `Runtime` does on entering; blocks.

    Raises:
        ValidationError: the URL is not usable.
        DatabaseError: the database is locked, read-only, damaged, out of reach, or of a newer version that
            excludes this one.
    """
    with opened(database_url, "NORMAL") as database:
        migrate(database.writer)


def migrate(engine: Engine, chain: Migrations = LIBRARY) -> None:
    """Apply every missing revision; leave the schema of a newer version as it is, if this one may use it.

    Args:
        engine: the engine of the writer.
        chain: this library's migrations by default.

    Raises:
        DatabaseError: the schema is of a newer version whose migrations exclude this one, or the database refused, or it is behind
            a pooler of transactions; nothing was changed.
    """
    try:
        if engine.dialect.name == "postgresql":
            refuse_transaction_pooling(engine)
        with engine.begin() as connection:
            if schema_of(connection, chain) != newest_schema(chain):
                exclude_migrations(connection)
                if not is_newer(connection, chain):
                    upgrade(connection, chain)
    except SQLAlchemyError as error:
        cause = error.__cause__ or error.__context__
        raise translate(cause if cause is not None else error) from error
    write_ahead(engine)


def exclude_migrations(connection: Connection) -> None:
    """Let no other process migrate the database until the transaction ends; SQLite's write lock does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def schema_of(connection: Connection, chain: Migrations = LIBRARY) -> str | None:
    """Return the revision of a database's schema; None for a database without one."""
    if not inspect(connection).has_table(chain.version_table):
        return None
    return connection.scalar(select(column("version_num", Text)).select_from(table(chain.version_table)))


def newest_schema(chain: Migrations = LIBRARY) -> str:
    """Return the revision of this version's schema."""
    return _revisions(chain.folder)[-1]


@functools.cache
def _revisions(folder: Path) -> list[str]:
    """Return the revisions of a chain in their order; alembic would compile every file to know them."""
    return sorted(path.name.partition("_")[0] for path in (folder / "versions").glob("[0-9]*.py"))


def is_newer(connection: Connection, chain: Migrations = LIBRARY) -> bool:
    """Return whether a newer version has migrated the database, and this one may work on its schema.

    Raises:
        DatabaseError: this version may not.
    """
    found, own = schema_of(connection, chain), newest_schema(chain)
    if found is None or found in _revisions(chain.folder):
        return False
    oldest = _compatible_from(connection, chain.compatibility)
    if oldest is None or oldest > own:
        needed = (
            "a newer one has written it" if oldest is None else f"it needs one of schema {oldest} or newer"
        )
        raise DatabaseError(
            f"The database has schema {found}, which this version (schema {own}) does not know: {needed}. "
            "Update this program, or choose another database. Nothing was changed."
        )
    _log.info("The database has schema %s, newer than this version's %s, which works on it too.", found, own)
    return True


def _compatible_from(connection: Connection, table: Table) -> str | None:
    """Return the oldest revision whose program may use the schema; None if the database does not say it."""
    if not inspect(connection).has_table(table.name):
        return None
    return connection.scalar(select(table.c.compatible_from))


def upgrade(connection: Connection, chain: Migrations = LIBRARY, revision: str = "head") -> None:
    """Apply the missing revisions up to one, in the connection's transaction."""
    from alembic.config import Config  # here: most starts need no migration, and the import takes 0.15 s
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(chain.folder).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)

    # As alembic's `upgrade` command does, but on our connection and in our transaction.
    def steps(at: Any, _context: Any) -> object:
        return scripts._upgrade_revs(revision, at)  # pyright: ignore[reportPrivateUsage]

    with EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(
            connection=connection,
            target_metadata=chain.compatibility.metadata,
            version_table=chain.version_table,
            render_as_batch=True,
            transaction_per_migration=False,
            transactional_ddl=False,  # the transaction of the caller includes it
        )
        environment.run_migrations()
