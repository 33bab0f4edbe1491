"""Version N-1 on the schema of version N: during a deploy both write to one database, and either may start.

Migrations since 0012, the first of a schema that is in use, only add; what they add is null or has a default.
test_rolling_upgrade.py runs processes of two versions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import ARRAY, Boolean, Engine, Float, Integer, LargeBinary, MetaData, inspect, select, text
from sqlalchemy.types import TypeEngine

from agent_core.errors import DatabaseError
from agent_core.store.database.migrate import COMPATIBILITY, LIBRARY, VERSION_TABLE, migrate, upgrade
from agent_core.store.database.open import opened
from agent_core.store.database.tables import metadata
from tests.agent_core.store.database.test_migrations import make
from tests.support.databases import PLACE, prepare, prepared, url

REVISIONS = tuple(f"{number:04}" for number in range(12, 29))
Columns = dict[str, dict[str, Any]]


class History(NamedTuple):
    """A migrated database: the columns of its tables at each revision and now, and its tables."""

    engine: Engine
    before: dict[str, dict[str, Columns]]
    after: dict[str, Columns]
    now: MetaData


def schema(engine: Engine) -> dict[str, Columns]:
    """Return the columns of each table."""
    found = inspect(engine)
    tables = [name for name in found.get_table_names() if name in metadata.tables]
    return {table: {column["name"]: dict(column) for column in found.get_columns(table)} for table in tables}


def some(kind: TypeEngine[Any], number: int) -> Any:
    """Return a value of a type."""
    if isinstance(kind, ARRAY):
        return [number]
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Integer | Float):
        return number
    return b"x" if isinstance(kind, LargeBinary) else f"text {number}"


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[str], History]]:
    """Return a function that migrates a database of each kind once, through every revision."""
    made: dict[str, History] = {}
    with contextlib.ExitStack() as stack:

        def history(kind: str) -> History:
            if kind not in made:
                path = tmp_path_factory.mktemp("versions") / "agents.db"
                engine, *_ = stack.enter_context(opened(url(path), "NORMAL"))
                PLACE.made.pop(str(path), None)  # kept for the module's tests, whose rows are rolled back
                made[kind] = migrated(engine)
            return made[kind]

        yield history


def migrated(engine: Engine) -> History:
    """Migrate an empty database; return it with the columns that it had at each revision."""
    make(engine, REVISIONS[0], {})
    before = {REVISIONS[0]: schema(engine)}
    for revision in REVISIONS[1:]:
        with engine.begin() as connection:
            upgrade(connection, LIBRARY, revision)
        before[revision] = schema(engine)
    migrate(engine)
    now = MetaData()
    now.reflect(engine)
    return History(engine, before, schema(engine), now)


@pytest.fixture
def history(databases: Callable[[str], History], database: str, path: Path) -> History:
    """Return the migrated database; requesting `path` repeats a test for each kind."""
    return databases(database)


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_older_version_inserts_its_rows_into_this_schema(history: History, revision: str) -> None:
    with history.engine.connect() as connection:  # which rolls back
        for number, (table, columns) in enumerate(history.before[revision].items()):
            row = {name: some(column["type"], number) for name, column in columns.items()}
            connection.execute(history.now.tables[table].insert().values(row))


@pytest.mark.parametrize("revision", REVISIONS)
def test_nothing_that_an_older_version_uses_is_gone_or_stricter(history: History, revision: str) -> None:
    for table, columns in history.before[revision].items():
        for name, column in columns.items():
            newer = history.after[table][name]
            assert str(newer["type"]) == str(column["type"]), f"{table}.{name}"
            assert newer["nullable"] >= column["nullable"], f"{table}.{name} must stay nullable"
        for name in history.after[table].keys() - columns.keys():
            newer = history.after[table][name]
            assert newer["nullable"] or newer["default"] is not None, f"{table}.{name} needs a default"


def test_the_newest_revision_before_this_schema_is_tested(path: Path) -> None:
    """A new migration adds its predecessor to REVISIONS."""
    folder = Path(migrate.__globals__["_FOLDER"]) / "versions"
    *_, before, _ = sorted(file.name[:4] for file in folder.glob("[0-9]*.py"))
    assert before == REVISIONS[-1]


def test_the_schema_names_the_oldest_version_that_is_tested_with_it(path: Path) -> None:
    """A migration that excludes older versions removes their revisions from REVISIONS."""
    with opened(url(prepare(path)), "NORMAL") as (engine, *_), engine.connect() as connection:
        assert connection.scalars(select(COMPATIBILITY.c.compatible_from)).all() == [REVISIONS[0]]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update {} set compatible_from = '0021'", None),
        (
            "update {} set compatible_from = '9998'",
            "it needs one of schema 9998 or newer. Update this program",
        ),
        ("delete from {}", "a newer one has written it. Update this program"),
        ("drop table {}", "a newer one has written it. Update this program"),
    ],
)
def test_a_newer_schema_is_used_or_refused_as_it_says_and_not_migrated(
    path: Path, statement: str, words: str | None
) -> None:
    with opened(prepared(path), "NORMAL") as (engine, *_):
        with engine.begin() as connection:
            connection.execute(text(f"update {VERSION_TABLE} set version_num = '9999'"))
            connection.execute(text(statement.format(COMPATIBILITY)))
        with pytest.raises(DatabaseError, match=words) if words else contextlib.nullcontext():
            migrate(engine)
        with engine.begin() as connection:
            assert connection.scalar(text(f"select version_num from {VERSION_TABLE}")) == "9999"
