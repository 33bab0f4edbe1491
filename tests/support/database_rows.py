"""Rows of every table of a database, written and read through SQLAlchemy on either kind of database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, MetaData, Table, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from agent_core.store.database.open import opened
from agent_core.store.database.tables import SearchRow, metadata

INDEX = str(SearchRow.__tablename__)
_WRITTEN_BY_MIGRATIONS = "_compatibility"
TEXTS = ("plain", 'ünïcode 🙂 "quoted" \\ \n', "x" * 10_000)


def fill(url: str, tables: MetaData = metadata) -> None:
    """Write three rows into every one of the tables: with all values, with odd ones, and without the optional ones."""
    with opened(url, "NORMAL") as database, database.writer.begin() as connection:
        for table in tables.sorted_tables:
            if not table.name.endswith(_WRITTEN_BY_MIGRATIONS):
                for number in range(3):
                    connection.execute(insert(table).values(_row(table, number, database.path is None)))


def _row(table: Table, number: int, is_server: bool) -> dict[str, Any]:
    columns = [column for column in table.columns if not (number == 2 and column.nullable)]
    return {column.key: _value(column, number, is_server) for column in columns}


def _value(column: Column[Any], number: int, is_server: bool) -> Any:
    kind = column.type
    if isinstance(kind, ARRAY) or column.name == "grams":
        return [number, 7] if is_server else b"\x00\xff"
    if isinstance(kind, Boolean):
        return number == 0
    if isinstance(kind, LargeBinary):
        return bytes(range(256)) * 1000
    if isinstance(kind, Float):
        return 1_795_549_875.886_067 + number / 3
    if isinstance(kind, Integer):
        return number + 3 if column.primary_key or column.unique else (1 << 31) - 1 - number
    return f"{number}-{TEXTS[number] if len(TEXTS[number]) < 99 or not _is_key(column) else 'key'}"


def _is_key(column: Column[Any]) -> bool:
    indexed = {each.name for index in column.table.indexes for each in index.columns}
    return column.primary_key or bool(column.unique) or bool(column.index) or column.name in indexed


def content(url: str, tables: MetaData = metadata) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every one of the tables by its name, in the order of their keys."""
    with opened(url, "NORMAL") as database, database.reader.connect() as connection:
        found = {}
        for table in tables.sorted_tables:
            rows = connection.execute(select(table).order_by(*table.primary_key))
            found[table.name] = [tuple(row) for row in rows]
        return found
