"""Test the app's own tables: their migrations make what the classes say, beside the tables of the threads."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session, select

from agent_core import migrate_database
from agent_core.errors import DatabaseError
from agent_core.store.database.app_database import open_app_database
from chat_app.database import MIGRATIONS
from chat_app.database.tables import AppTable, PersonRow
from chat_app.server.preflight import require_database


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'agents.db'}"


def engine(url: str) -> Engine:
    return create_engine(url)


def test_the_migrations_make_the_tables_of_the_classes(url: str) -> None:
    require_database(url)
    found = engine(url)
    with found.connect() as connection:
        ours = set(AppTable.metadata.tables)
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _parents: kind != "table" or name in ours},
        )
        assert compare_metadata(context, AppTable.metadata) == []
        assert connection.scalar(text("select count(*) from agent_schema")) == 1
        assert len(ours) == connection.scalar(
            text("select count(*) from sqlite_master where name like 'chat%' and type = 'table'")
        ) - len([MIGRATIONS.version_table])
    found.dispose()


def test_rows_stay_when_the_app_starts_again_and_the_library_migrates_without_them(url: str) -> None:
    migrate_database(url)
    with open_app_database(url, MIGRATIONS) as database:
        database.write(lambda session: session.add(PersonRow(id="person_1", name="Ann", created_at=1.0)))
    migrate_database(url)
    with open_app_database(url, MIGRATIONS) as database:
        (found,) = database.read(lambda session: session.exec(select(PersonRow)).all())
    assert (found.name, found.role, found.removed_at) == ("Ann", "member", None)


def test_a_write_that_raises_changes_nothing(url: str) -> None:
    def fail(session: Session) -> None:
        session.add(PersonRow(id="person_1", name="Ann", created_at=1.0))
        raise KeyError("on purpose")

    with open_app_database(url, MIGRATIONS) as database:
        with pytest.raises(KeyError):
            database.write(fail)
        assert database.read(lambda session: session.exec(select(PersonRow)).all()) == []


@pytest.mark.parametrize(("compatible_from", "starts"), [("0001", True), ("9998", False)])
def test_a_newer_schema_of_the_app_says_whether_this_version_may_use_it(
    url: str, compatible_from: str, starts: bool
) -> None:
    with open_app_database(url, MIGRATIONS) as database:
        database.write(lambda session: session.execute(text("update chat_schema set version_num = '9999'")))
        database.write(
            lambda session: session.execute(
                text("update chat_compatibility set compatible_from = :from"), {"from": compatible_from}
            )
        )
    if starts:
        with open_app_database(url, MIGRATIONS) as database:
            assert database.read(lambda session: session.exec(select(PersonRow)).all()) == []
        return
    with pytest.raises(DatabaseError, match="has schema 9999, which this version"):
        open_app_database(url, MIGRATIONS).__enter__()
