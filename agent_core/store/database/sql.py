"""Build statements: the tables, SQL that is compiled once per database, JSON columns, and the feeds of writes.

Core keeps the statements portable. Executing a short statement with Core costs ten times what SQLite needs for
it, so the hot path compiles once and runs on the driver itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Dialect,
    Table,
    bindparam,
    insert,
    literal_column,
    or_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement

from agent_core.sentences import Sentence
from agent_core.store.database import tables

THREAD: Table = tables.metadata.tables["agent_thread"]
MESSAGE: Table = tables.metadata.tables["agent_message"]
STREAM: Table = tables.metadata.tables["agent_stream"]
DELTA: Table = tables.metadata.tables["agent_delta"]
CALL: Table = tables.metadata.tables["agent_tool_call"]
FILE: Table = tables.metadata.tables["agent_file"]
REFUSED_FILE: Table = tables.metadata.tables["agent_refused_file"]
WINDOW: Table = tables.metadata.tables["agent_window"]
PERSON: Table = tables.metadata.tables["agent_person"]
SEARCH: Table = tables.metadata.tables["agent_search"]
USAGE: Table = tables.metadata.tables["agent_usage"]
SCHEDULE: Table = tables.metadata.tables["agent_schedule"]
WAKE_UP: Table = tables.metadata.tables["agent_wake_up"]
LIMIT: Table = tables.metadata.tables["agent_limit"]
BUDGET: Table = tables.metadata.tables["agent_budget"]
COUNTER: Table = tables.metadata.tables["agent_counter"]
ADMISSION: Table = tables.metadata.tables["agent_admission"]
WORKER: Table = tables.metadata.tables["agent_worker"]
OUTBOX: Table = tables.metadata.tables["agent_outbox"]
OUTBOX_EVENT: Table = tables.metadata.tables["agent_outbox_event"]

P: Callable[[str], BindParameter[Any]] = bindparam
# Values from outside were checked before; looking for circles again would take a third of the time.
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


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


def upsert(
    table: Table,
    values: Mapping[str, Any],
    key: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    returning: Sequence[Any] = (),
) -> Statement:
    """Build an INSERT that sets `changes` of the row with the same `key` instead; without changes it is kept."""
    by_dialect: dict[str, ClauseElement] = {}
    for dialect in (sqlite, postgresql):
        new: Any = dialect.insert(table).values(values)
        new = (
            new.on_conflict_do_update(index_elements=key, set_=changes)
            if changes
            else new.on_conflict_do_nothing()
        )
        by_dialect[dialect.dialect.name] = new.returning(*returning) if returning else new
    return Statement(insert(table).values(values), **by_dialect)


def dump(value: Any) -> str:
    """Return `value` as compact JSON."""
    return _encoder.encode(value)


def load(text: str | None) -> Any:
    """Decode JSON; None stays None."""
    return None if text is None else json.loads(text)


def dump_info(text: str | None) -> str | None:
    """Return a sentence with its code and params as JSON, for the column `error_info`; None for other text."""
    return dump(text.to_dict()) if isinstance(text, Sentence) else None


def load_info(text: str | None, info: str | None) -> dict[str, Any] | None:
    """Return the code and the params of a row's error; None if it has none.

    They are valid only with the text they were written with: a version before 0014 on the same database writes
    another error and leaves them unchanged.
    """
    known = load(info)
    if known is None or known["text"] != text:
        return None
    return {"code": known["code"], "params": known["params"]}


LIST_FEED = "threads"
"""The feed of the thread list."""

WORK_FEED = "work"
"""The feed of workers: work is due that any of them may take."""

LIMITS_FEED = "limits"
"""The feed that is touched when a limit or a budget changes."""

OUTBOX_FEED = "outbox"
"""The feed that is touched when the outbox is switched on or off."""


def idle_feed(thread_id: str) -> str:
    """Return the name of the feed that is touched when a thread becomes idle or is deleted."""
    return f"idle:{thread_id}"


def person_feed(name: str) -> str:
    """Return the name of the feed that is touched when a person's preferences change."""
    return f"person:{name}"
