"""Copy the rows of a database into another one, of the same or of the other kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, func, inspect, select, text

from agent_core.errors import DatabaseError
from agent_core.store.database.migrate import (
    LIBRARY,
    Migrations,
    is_newer,
    newest_schema,
    schema_of,
    upgrade,
)
from agent_core.store.database.tables import SearchRow, ThreadRow

_INDEX = str(SearchRow.__tablename__)
_FTS5 = f"{_INDEX}_fts"  # a virtual table of SQLite, with tables of its own
_THREADS = str(ThreadRow.__tablename__)
_DELIVERY = "procrastinate_"  # tables of an engine, which is told of the work again

_ROWS = 50  # read at once; a row may have a tool's result of a megabyte
_ROWS_WITH_BYTES = 4  # of a table with files, which may have ten megabytes


def copy_rows(source: Connection, target: Connection, chains: Sequence[Migrations]) -> None:
    """Give an empty target the source's schema and all its rows, in the target's transaction.

    The search index is of one kind of database; the other kind gets none, and workers index its threads again.

    Args:
        source: a database of this library.
        target: a database without its tables.
        chains: the library's migrations and the application's.

    Raises:
        DatabaseError: the source has no schema, or one that this version cannot make.
    """
    same_kind = source.dialect.name == target.dialect.name
    for chain in chains:
        if (revision := _revision_to_copy(source, chain)) is not None:
            upgrade(target, chain, revision)
    for name in _names_with_rows(target, chains):
        target.execute(text(f"delete from {name}"))  # what migrations have written
        if same_kind or name != _INDEX:
            _copy(source, target, name)
            _set_sequences(target, name)


def drop_tables(connection: Connection, chains: Sequence[Migrations]) -> None:
    """Drop the tables, in the connection's transaction."""
    for name in table_names(connection, chains):
        connection.execute(text(f"drop table {name}"))
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"drop table if exists {_FTS5}"))


def table_names(connection: Connection, chains: Sequence[Migrations]) -> list[str]:
    """Return the names of the tables in a database, those with the revisions too, sorted."""
    ours = {name for chain in chains for name in (chain.version_table, *chain.compatibility.metadata.tables)}
    return sorted(ours & set(inspect(connection).get_table_names()))


def other_tables(connection: Connection, chains: Sequence[Migrations]) -> tuple[str, ...]:
    """Return the names of the tables in a database that belong to none of the chains."""
    ours = table_names(connection, chains)
    return tuple(
        name
        for name in sorted(inspect(connection).get_table_names())
        if name not in ours and not name.startswith((_FTS5, _DELIVERY))
    )


def is_empty(connection: Connection, chains: Sequence[Migrations]) -> bool:
    """Whether a database has no rows, but for those of a program that has only started."""
    filled = {name for chain in chains for name in (chain.compatibility.name, *chain.filled)}
    return not any(
        connection.execute(text(f"select 1 from {name} limit 1")).first()
        for name in _names_with_rows(connection, chains)
        if name not in filled
    )


def count_threads(connection: Connection) -> int:
    """Return how many threads a database has."""
    return int(connection.execute(text(f"select count(*) from {_THREADS}")).scalar_one())


def _names_with_rows(connection: Connection, chains: Sequence[Migrations]) -> Iterator[str]:
    versions = {chain.version_table for chain in chains}
    return (name for name in table_names(connection, chains) if name not in versions)


def _revision_to_copy(source: Connection, chain: Migrations) -> str | None:
    revision = schema_of(source, chain)
    if revision is None and chain is LIBRARY:
        raise DatabaseError(
            "The database to copy is not one of this library, or no program has started on it."
        )
    if is_newer(source, chain):
        raise DatabaseError(
            f"The database to copy has schema {revision}, newer than this version's {newest_schema(chain)}; copy it "
            "with the version that uses it."
        )
    return revision


def _copy(source: Connection, target: Connection, name: str) -> None:
    table = _table(target, name)
    of_source = _table(source, name)
    changes = {}
    if name == _THREADS and source.dialect.name != target.dialect.name and "search_cursor" in table.columns:
        changes = {"search_cursor": -1}  # no text of it is indexed
    is_large = any(isinstance(column.type, LargeBinary) for column in table.columns)
    size = _ROWS_WITH_BYTES if is_large else _ROWS
    streaming = source.execution_options(stream_results=True, max_row_buffer=size)
    with streaming.execute(select(*(of_source.c[column.name] for column in table.columns))) as found:
        for rows in found.mappings().partitions(size):
            target.execute(table.insert(), [{**row, **changes} for row in rows])


def _table(connection: Connection, name: str) -> Table:
    """Return a table with the types that its database gives to the columns."""
    columns = inspect(connection).get_columns(name)
    return Table(name, MetaData(), *(Column(each["name"], each["type"]) for each in columns))


def _set_sequences(target: Connection, name: str) -> None:
    """Let a server's sequences go on behind the copied numbers; SQLite's do so by themselves."""
    for column in inspect(target).get_columns(name):
        if "identity" in column:
            highest = target.execute(text(f"select max({column['name']}) from {name}")).scalar_one()
            if highest is not None:
                sequence = func.pg_get_serial_sequence(name, column["name"])
                target.execute(select(func.setval(sequence, highest)))
