"""Report what the rows of a database take, by kind, and what is deleted next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, func, inspect, literal, select, table, text, union_all
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from agent_core.domain.reports import StorageReport, StoredKind
from agent_core.store.database import sql
from agent_core.store.database.app_database import APP_KINDS
from agent_core.store.turns import retention

SOON = 7 * 86_400.0
"""Seconds ahead for which expiries are counted."""

_KINDS = {
    "threads": (sql.THREAD,),
    "messages": (sql.MESSAGE,),
    "steps": (sql.STREAM, sql.DELTA),
    "tool_calls": (sql.CALL,),
    "files": (sql.FILE,),
    "search": (sql.SEARCH,),
    "usage": (sql.USAGE,),
    "schedules": (sql.SCHEDULE,),
    "outbox": (sql.OUTBOX_EVENT,),
}
_KIND_OF = {table.name: kind for kind, tables in _KINDS.items() for table in tables}
_ROWS = union_all(
    *(
        select(literal(name).label("name"), func.count()).select_from(sql.tables.metadata.tables[name])
        for name in _KIND_OF
    )
)
_IN_BIN = select(func.count()).where(sql.THREAD.c.delete_at.is_not(None))
_PAGES = text(
    "SELECT page_count * page_size, freelist_count * page_size"
    " FROM pragma_page_count, pragma_page_size, pragma_freelist_count"
)
# Of every table with its indexes. SQLite is not always built with it: https://www.sqlite.org/dbstat.html
_SIZES = text(
    "SELECT coalesce(m.tbl_name, s.name), sum(s.pgsize) FROM dbstat AS s"
    " LEFT JOIN sqlite_master AS m ON m.name = s.name WHERE s.aggregate = TRUE GROUP BY 1"
)
_STATISTICS = text(
    "SELECT relname, greatest(reltuples, 0)::bigint, pg_total_relation_size(oid) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
)
_DATABASE_SIZE = text("SELECT pg_database_size(current_database())")


class _Stored(NamedTuple):
    rows: int = 0
    size: int | None = None

    def plus(self, rows: int, size: int | None) -> _Stored:
        return _Stored(self.rows + rows, self.size if size is None else (self.size or 0) + size)


def storage(
    session: Session, path: Path | None, keeps: Mapping[str, float | None], now: float
) -> StorageReport:
    """Return what a database takes; it reads every table once.

    Args:
        path: the file of an SQLite database; None: a server has the database.
        keeps: seconds for which the threads of each agent are kept, by its name.
    """
    connection = session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    stored = _of_file(connection) if is_sqlite else _of_server(connection)
    size, free = (
        connection.execute(_PAGES).one() if is_sqlite else (connection.execute(_DATABASE_SIZE).scalar(), None)
    )
    kinds = [StoredKind(kind, *found) for kind, found in stored.items()]
    return StorageReport(
        size=size or 0,
        free=free,
        wal=_wal(path),
        kinds=sorted(kinds, key=lambda kind: (-(kind.size or 0), -kind.rows, kind.kind)),
        expiries=[retention.expiry(session, agent, keep, now, SOON) for agent, keep in sorted(keeps.items())],
        in_bin=connection.execute(_IN_BIN).scalar() or 0,
    )


def _of_file(connection: Connection) -> dict[str, _Stored]:
    found = dict.fromkeys([*_KINDS, "other"], _Stored())
    for name, rows in [*connection.execute(_ROWS), *_rows_of_app(connection)]:
        found[_kind(name)] = found.get(_kind(name), _Stored()).plus(rows, None)
    try:
        sizes = connection.execute(_SIZES).all()
    except OperationalError:  # this SQLite has no dbstat
        return found
    for name, size in sizes:
        found[_kind(name)] = found.get(_kind(name), _Stored()).plus(0, size)
    return found


def _rows_of_app(connection: Connection) -> list[tuple[str, int]]:
    """Return the numbers of rows of the application's tables that are there."""
    there = [name for name in inspect(connection).get_table_names() if name in APP_KINDS]
    count = select(func.count())
    return [(name, connection.execute(count.select_from(table(name))).scalar() or 0) for name in there]


def _kind(name: str) -> str:
    """Return the kind of the rows of a table."""
    known = _KIND_OF.get(name) or APP_KINDS.get(name)
    return known or ("search" if name.startswith(sql.SEARCH.name) else "other")


def _of_server(connection: Connection) -> dict[str, _Stored]:
    found = dict.fromkeys([*_KINDS, "other"], _Stored())
    for name, rows, size in connection.execute(_STATISTICS):
        found[_kind(name)] = found.get(_kind(name), _Stored()).plus(rows, size)
    return found


def _wal(path: Path | None) -> int | None:
    if path is None:
        return None
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:  # there is none
        return 0
