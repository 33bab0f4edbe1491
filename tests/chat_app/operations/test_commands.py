"""The commands of the app's database, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_core import migrate_database
from agent_core.store.database.tables import metadata
from chat_app import __main__, command
from chat_app.database.tables import AppTable
from chat_app.server.preflight import require_database
from tests.support.database_rows import content, fill
from tests.tools.postgresql import PostgreSQL

TABLES = (metadata, AppTable.metadata)


def everything(url: str) -> list[object]:
    """Return the rows of the library's and of the app's tables."""
    return [content(url, tables) for tables in TABLES]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the app's database, which has content."""
    monkeypatch.setenv("CHAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path}/data/agents.db"
    require_database(url)
    for tables in TABLES:
        fill(url, tables)
    return url


def test_backup_and_restore_are_of_the_apps_database_and_names_are_relative_to_where_they_are_called(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(database)
    __main__.main(["backup", "copy.db"])
    assert f"{tmp_path}/copy.db has 3 threads" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"copy\.db is there already"):
        command.main(["backup", f"{tmp_path}/copy.db"])
    Path(database.removeprefix("sqlite:///")).unlink()
    command.main(["restore", f"{tmp_path}/copy.db"])
    assert everything(database) == before


def test_moved_database_is_named_for_the_settings(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main(["move", f"sqlite:///{tmp_path}/new.db"])
    assert "Set CHAT_DATABASE_URL to the new database" in capsys.readouterr().out
    assert everything(f"sqlite:///{tmp_path}/new.db") == everything(database)


def test_people_are_moved_to_a_server_and_tables_of_other_programs_are_named(
    database: str, tmp_path: Path, postgresql: PostgreSQL, capsys: pytest.CaptureFixture[str]
) -> None:
    postgresql.execute("drop database if exists people with (force)", "create database people")
    server = postgresql.url("people")
    command.main(["move", server])
    assert content(server, AppTable.metadata) == content(database, AppTable.metadata)
    postgresql.execute('create table "the Diary" (day text)', database="people")
    command.main(["backup", f"{tmp_path}/people.db", "--database", server])
    assert "Tables of other programs were left out: the Diary." in capsys.readouterr().out
    file = f"sqlite:///{tmp_path}/people.db"
    assert content(file, AppTable.metadata) == content(database, AppTable.metadata)


def test_url_given_to_the_command_is_used_instead_of_the_apps(database: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    migrate_database(other)
    command.main(["backup", f"{tmp_path}/copy.db", "--database", other])
    assert content(f"sqlite:///{tmp_path}/copy.db") == content(other) != content(database)
