"""Backups, restores and moves: copies have every row, a failure leaves nothing, and nothing is overwritten."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from agent_core import Runtime
from agent_core.__main__ import main
from agent_core.backup import Copied, back_up_database, move_database, restore_database
from agent_core.errors import AgentCoreError, DatabaseError, ValidationError
from agent_core.store.database.migrate import newest_schema
from agent_core.store.database.open import opened
from agent_core.store.database.sql import THREAD
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.agent_core.store.database.test_migrations import ROWS, SAID, make
from tests.support.agents import agent_on, finished, texts
from tests.support.database_rows import INDEX, content, fill
from tests.support.databases import prepare, url
from tests.support.processes.commands import ROOT
from tests.tools.postgresql import PostgreSQL


@pytest.fixture
def empty(postgresql: PostgreSQL) -> Iterator[str]:
    """The URL of a server's database that no program has started on."""
    postgresql.execute("drop database if exists restored with (force)", "create database restored")
    yield postgresql.url("restored")
    postgresql.execute("drop database if exists restored with (force)")


def copy_of(source: str, target: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows that a copy of a database should have."""
    found = content(source)
    if source.partition(":")[0] != target.partition(":")[0]:  # the index is of one kind of database
        found[INDEX] = []
        place = [column.key for column in THREAD.columns].index("search_cursor")
        rows = found["agent_thread"]
        found["agent_thread"] = [(*row[:place], -1, *row[place + 1 :]) for row in rows]
    return found


def test_backup_restored_into_either_database_has_every_row(
    database_url: str, empty: str, tmp_path: Path
) -> None:
    fill(database_url)
    file, other = tmp_path / "backup.db", f"sqlite:///{tmp_path}/new/other.db"
    assert back_up_database(database_url, file) == Copied(3, newest_schema())
    assert file.stat().st_mode & 0o077 == 0, "it has what people wrote"
    assert content(f"sqlite:///{file}") == copy_of(database_url, f"sqlite:///{file}")
    for target in (other, empty):
        assert restore_database(file, target) == Copied(3, newest_schema())
        assert content(target) == copy_of(f"sqlite:///{file}", target)


def test_database_moved_to_the_other_kind_and_back_has_every_row(
    database_url: str, empty: str, tmp_path: Path
) -> None:
    fill(database_url)
    before = content(database_url)
    target = empty if database_url.startswith("sqlite") else f"sqlite:///{tmp_path}/other.db"
    move_database(database_url, target)
    assert content(target) == copy_of(database_url, target)
    assert content(database_url) == before
    if target == empty:  # numbers that the server gives go on behind those of the copy
        with opened(empty, "NORMAL") as database, database.writer.begin() as connection:
            insert = "insert into agent_outbox_event (key, type, thread_id, agent, created_at) values"
            number = connection.execute(text(f"{insert} ('new', 't', 't', 'a', 0) returning id")).scalar_one()
        assert number == 6
        (tmp_path / "back.db").touch()
        move_database(empty, f"sqlite:///{tmp_path}/back.db")
        assert content(f"sqlite:///{tmp_path}/back.db") == content(empty)


@action_tool(rerun_on_interrupt=True)
async def look(place: str) -> str:
    """Look."""
    return f"seen {place}"


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    if messages[-1]["role"] == "tool":
        return ["Done", 0.01, " and dusted."]
    return ["I", 0.01, " look.", ToolUse("look", {"place": messages[-1]["content"]})]


async def test_backup_of_a_busy_database_is_whole_and_its_work_goes_on(path: Path, tmp_path: Path) -> None:
    """Everything that was committed before is there, and what was under way is finished by whoever restores it."""
    done, ends = list[str](), asyncio.Event()

    async def people() -> None:
        while not ends.is_set():
            thread = await api.create_thread("here")
            done.append((await finished(api, thread)).id)

    file = tmp_path / "backup.db"
    async with agent_on(path, answer, tools=[look]) as api:
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(people())
            await eventually(lambda: len(done) > 3)
            before = list(done)
            await asyncio.to_thread(back_up_database, url(path), file)
            later = len(done) + 3
            await eventually(lambda: len(done) > later)
            ends.set()
        said = {thread_id: await texts(api, thread_id) for thread_id in before}
    copy = tmp_path / "copy" / "agents.db"
    restore_database(file, url(copy))
    async with agent_on(copy, answer, tools=[look]) as api:
        found = await api.list_threads(10_000)
        assert {thread.id for thread in found} >= set(before)
        for thread in found:
            assert (await finished(api, thread)).status == "completed"
            assert await texts(api, thread.id) == ["here", "I look.\n\nDone and dusted."]
        assert {thread_id: await texts(api, thread_id) for thread_id in before} == said


async def test_backup_of_an_older_schema_reads_as_before_once_it_is_restored(
    path: Path, tmp_path: Path
) -> None:
    with opened(url(path), "NORMAL") as (engine, *_):
        make(engine, "0001", ROWS)
    assert back_up_database(url(path), tmp_path / "old.db").schema == "0001"
    copy = tmp_path / "copy.db"
    restored = restore_database(tmp_path / "old.db", url(copy), overwrite=True)
    assert (restored.schema, restored.threads) == ("0001", len(SAID))
    async with agent_on(copy, answer, tools=[look]) as api:
        for thread_id, said in SAID.items():
            assert await texts(api, thread_id) == said, thread_id


async def test_database_in_use_is_not_replaced_or_moved(path: Path, tmp_path: Path) -> None:
    async with Runtime(url(prepare(path)), work=False):
        back_up_database(url(path), tmp_path / "backup.db")
        for act in (
            lambda: restore_database(tmp_path / "backup.db", url(path), overwrite=True),
            lambda: move_database(url(path), f"sqlite:///{tmp_path}/other.db"),
        ):
            with pytest.raises(DatabaseError, match="in use"):
                await asyncio.to_thread(act)
    assert not (tmp_path / "other.db").exists()


def test_content_is_replaced_only_on_request_and_that_of_a_file_is_kept(
    database_url: str, tmp_path: Path
) -> None:
    back_up_database(database_url, tmp_path / "empty.db")
    fill(database_url)
    before = content(database_url)
    with pytest.raises(ValidationError, match="--replace"):
        restore_database(tmp_path / "empty.db", database_url)
    assert content(database_url) == before
    kept = restore_database(tmp_path / "empty.db", database_url, overwrite=True).kept
    assert content(database_url)["agent_thread"] == []
    assert (kept is None) == database_url.startswith("postgresql")
    if kept is not None:
        assert content(f"sqlite:///{kept}") == before


def test_restore_that_fails_in_the_middle_changes_nothing(database_url: str, tmp_path: Path) -> None:
    """A value that only SQLite takes is found after other tables have been copied."""
    fill(database_url)
    back_up_database(database_url, tmp_path / "backup.db")
    before = content(database_url)
    if database_url.startswith("postgresql"):
        with closing(sqlite3.connect(tmp_path / "backup.db")) as file, file:
            file.execute("update agent_tool_call set attempt = 'many'")
    else:
        with (tmp_path / "backup.db").open("r+b") as file:
            file.seek(file.seek(0, 2) // 2)
            file.write(b"\xff" * 5000)
    with pytest.raises(AgentCoreError):
        restore_database(tmp_path / "backup.db", database_url, overwrite=True)
    assert content(database_url) == before


def _from_the_future(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("update agent_schema set version_num = '9999'")
        database.execute("update agent_compatibility set compatible_from = '9998'")


def _of_somebody_else(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("create table diary (day text)")


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda file: file.unlink(), "There is no backup"),
    "text": (lambda file: file.write_text("dear diary, " * 100), "not a SQLite database"),
    "cut off": (lambda file: file.write_bytes(file.read_bytes()[:50_000]), "damaged"),
    "empty": (lambda file: file.write_bytes(b""), "not a database of this library"),
    "another program's": (_of_somebody_else, "not a database of this library"),
    "of a newer version": (_from_the_future, "9999"),
}


@pytest.mark.sqlite  # a backup is checked before the database is opened
@pytest.mark.parametrize("how", BROKEN)
def test_backup_that_cannot_be_used_is_refused_and_the_database_left_alone(
    database_url: str, tmp_path: Path, how: str
) -> None:
    file = tmp_path / "backup.db"
    back_up_database(database_url, file)
    before = content(database_url)
    do, words = BROKEN[how]
    do(file)
    with pytest.raises(AgentCoreError, match=words):
        restore_database(file, database_url, overwrite=True)
    assert content(database_url) == before


@pytest.mark.sqlite  # the file is the same whatever the database is
def test_backup_never_overwrites_and_leaves_nothing_when_it_fails(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    file.write_text("important")
    with pytest.raises(ValidationError, match="there already"):
        back_up_database(database_url, file)
    assert file.read_text() == "important"
    with pytest.raises(ValidationError, match="a folder"):
        back_up_database(database_url, tmp_path)
    with pytest.raises(DatabaseError, match="cannot be written"):
        back_up_database(database_url, tmp_path / "missing" / "backup.db")
    with pytest.raises(ValidationError, match="no database"):
        back_up_database(f"sqlite:///{tmp_path}/none.db", tmp_path / "new.db")
    (tmp_path / "odd.db").write_text("dear diary, " * 100)
    with pytest.raises(DatabaseError, match="damaged"):
        back_up_database(f"sqlite:///{tmp_path}/odd.db", tmp_path / "new.db")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["agents.db", "backup.db", "odd.db"]


@pytest.mark.sqlite  # the commands only pass the URL on
def test_commands_back_up_restore_and_move(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fill(database_url)
    file, moved = f"{tmp_path}/b.db", f"sqlite:///{tmp_path}/moved.db"
    main(["backup", file, "--database", database_url])
    assert f"b.db has 3 threads, schema {newest_schema()}" in caplog.text
    with pytest.raises(SystemExit, match="has content"):
        main(["restore", file, "--database", database_url])
    main(["restore", file, "--replace", "--database", database_url])
    assert "What it had before is kept in" in caplog.text
    main(["move", moved, "--database", database_url])
    assert "moved.db has 3 threads" in caplog.text
    assert content(moved) == content(database_url)


@pytest.mark.sqlite  # a server rolls back what a lost connection has not committed
def test_restore_that_is_killed_leaves_the_old_content_or_the_new(database_url: str, tmp_path: Path) -> None:
    back_up_database(database_url, tmp_path / "backup.db")
    with closing(sqlite3.connect(tmp_path / "backup.db")) as file, file:
        row = "insert into agent_file (thread_id, id, media_type, data, created_at) values ('t', ?, 'x/y', ?, 0)"
        file.executemany(row, ((str(number), b"x" * (1 << 20)) for number in range(40)))
    fill(database_url)
    before = content(database_url)
    command = ["restore", f"{tmp_path}/backup.db", "--replace", "--database", database_url]
    with subprocess.Popen([sys.executable, "-m", "agent_core", *command], cwd=ROOT) as process:
        grown = 20 << 20  # bytes, half of the backup
        while process.poll() is None and (tmp_path / "agents.db").stat().st_size < grown:
            time.sleep(0.001)
        process.kill()
    assert content(database_url) in (before, content(f"sqlite:///{tmp_path}/backup.db"))
    (kept,) = tmp_path.glob("agents.db.before-*")
    assert content(f"sqlite:///{kept}") == before
