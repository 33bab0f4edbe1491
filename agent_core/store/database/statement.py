"""SQLAlchemy Core statements, compiled once per database and run on the bare driver.

The Core keeps every statement portable; its execution machinery costs ten times what SQLite itself
needs for a short statement, so the hot path pays for it once and not per call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Dialect, literal_column, or_
from sqlalchemy.sql import ClauseElement


class Statement:
    """One Core statement whose values are bound by name.

    Values given when the statement was built (statuses, for example) are its defaults; `bindparam`
    names the ones that each call brings. Types that need conversion by SQLAlchemy are not
    supported: pass str, int, float, bool or None.
    """

    def __init__(self, clause: ClauseElement, **by_dialect: ClauseElement) -> None:
        self._clause = clause
        self._by_dialect = by_dialect  # for the few that SQLAlchemy spells per database
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}

    def compiled(self, dialect: Dialect) -> tuple[str, dict[str, Any]]:
        """Return (SQL, default values) for `dialect`, whose paramstyle must be a named one."""
        try:
            return self._compiled[dialect.name]
        except KeyError:
            clause = self._by_dialect.get(dialect.name, self._clause)
            done: Any = clause.compile(dialect=dialect)
            defaults = {name: bind.value for name, bind in done.binds.items() if not bind.required}
            self._compiled[dialect.name] = pair = (str(done), defaults)
            return pair


def one_of(column: Any, values: Iterable[str]) -> ColumnElement[bool]:
    """Return `column IN (…)` spelled out with literals.

    An IN of parameters is expanded anew at each execution, and SQLite uses a partial index only
    where it can see the very values of the index's condition.
    """
    return or_(*(column == literal_column(f"'{value}'") for value in sorted(values)))
