"""Compile SQLAlchemy Core statements once per database, to be run on the driver itself.

Core keeps the statements portable. Executing a short statement with Core costs ten times what SQLite needs for
it, so the hot path compiles once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Dialect, literal_column, or_
from sqlalchemy.sql import ClauseElement


class Statement:
    """A Core statement whose values are bound by name.

    Values of the clause itself (statuses, for example) are its defaults; `bindparam` names those of each call.
    Types that SQLAlchemy would convert are not supported: pass str, int, float, bool or None.
    """

    def __init__(self, clause: ClauseElement, **by_dialect: ClauseElement) -> None:
        self._clause = clause
        self._by_dialect = by_dialect  # clauses that SQLAlchemy builds per database
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}

    def compiled(self, dialect: Dialect) -> tuple[str, dict[str, Any]]:
        """Return the SQL and the default values for a dialect with a named paramstyle."""
        try:
            return self._compiled[dialect.name]
        except KeyError:
            clause = self._by_dialect.get(dialect.name, self._clause)
            done: Any = clause.compile(dialect=dialect)
            defaults = {name: bind.value for name, bind in done.binds.items() if not bind.required}
            self._compiled[dialect.name] = pair = (str(done), defaults)
            return pair


def one_of(column: Any, values: Iterable[str]) -> ColumnElement[bool]:
    """Build `column IN (…)` with literals.

    An IN of parameters is expanded at each execution, and SQLite uses a partial index only for the literal
    values of the index's condition.
    """
    return or_(*(column == literal_column(f"'{value}'") for value in sorted(values)))
