"""Unusable databases: one clear sentence, and not a byte of the database changed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from agent_core import Runtime, Store, errors
from agent_core.store.database.migrate import COMPATIBILITY, VERSION_TABLE
from agent_core.store.database.open import opened
from agent_core.store.database.tables import metadata
from tests.chaos.worker import Plan, spawn
from tests.support.agents import agent_on, finished, prepare, rows

pytestmark = pytest.mark.sqlite  # files, locks and pragmas


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


def execute(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


NEWER = (
    f"update {VERSION_TABLE} set version_num = '9999'",
    f"update {COMPATIBILITY} set compatible_from = '9998'",
)


def newer(path: Path) -> None:
    execute(path, *NEWER)


def newer_without_wal(path: Path) -> None:
    execute(path, *NEWER, "pragma journal_mode=delete")


def text(path: Path) -> None:
    path.write_text("Dear diary, " * 500)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def scratched(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:9000] = os.urandom(4904)
    path.write_bytes(content)


def headless(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


BAD: dict[Callable[[Path], None], str] = {
    newer: "it needs one of schema 9998 or newer",
    newer_without_wal: "newer",
    text: "not a SQLite database",
    cut: "damaged",
    scratched: "damaged",
    headless: "damaged",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("spoil", BAD)
async def test_unusable_database_is_refused_and_left_as_it_is(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    before = contents(path.parent)
    with pytest.raises(errors.DatabaseError, match=BAD[spoil]) as caught:
        async with Runtime(f"sqlite:///{path}"):
            pass
    assert contents(path.parent) == before
    assert str(caught.value).endswith(".")
    assert "Traceback" not in str(caught.value)
    assert "sqlalche" not in str(caught.value)


async def test_a_folder_is_refused(path: Path) -> None:
    with pytest.raises(errors.DatabaseError, match="is a folder"):
        async with Runtime(f"sqlite:///{path.parent}"):
            pass


async def test_a_path_below_a_file_cannot_be_opened(path: Path) -> None:
    with pytest.raises(errors.DatabaseError, match="cannot be opened"):
        async with Runtime(f"sqlite:///{path}/deeper/agents.db"):
            pass


async def test_a_database_locked_by_another_program_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_core.store.database.open.BUSY_TIMEOUT", 0.2)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("begin immediate")
        before = path.read_bytes()
        with pytest.raises(errors.DatabaseError, match="locked by another program"):
            async with Runtime(f"sqlite:///{path}"):
                pass
        assert path.read_bytes() == before


async def test_a_start_waits_for_a_lock_as_long_as_a_write_does(path: Path) -> None:
    """A process that is busy, or stopped, in a transaction may hold the lock for seconds."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("begin immediate")
        async with asyncio.TaskGroup() as group:
            start = group.create_task(_start(path))
            await asyncio.sleep(3.2)  # a start gave up after 3 seconds once; it must not block the event loop
            assert not start.done()
            holder.execute("rollback")


async def _start(path: Path) -> None:
    async with Runtime(f"sqlite:///{path}", work=False):
        pass


READ_ONLY = """
import asyncio, os, sys
from agent_core import Runtime, errors
async def main():
    try:
        async with Runtime(sys.argv[1], work=False):
            print("opened")
    except errors.DatabaseError as error:
        print(error)
import concurrent.futures.thread, agent_core.llm, alembic.command
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # permissions do not bind root
asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_database_is_refused(what: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101
        path = Path(folder) / "agents.db"
        if what == "file":
            prepare(path).chmod(0o444)
        before = contents(Path(folder))
        Path(folder).chmod(0o555)
        command = [sys.executable, "-c", READ_ONLY, f"sqlite:///{path}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        Path(folder).chmod(0o755)
        words = "is read-only; make it writable" if what == "file" else "cannot be written to; choose"
        assert words in done.stdout, done.stdout + done.stderr
        assert contents(Path(folder)) == before


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name", ""])
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(errors.ValidationError):
        Runtime(url)


async def test_an_empty_file_and_a_missing_folder_are_new_databases(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for name in ("empty.db", "deep/er/agents.db"):
        async with Runtime(f"sqlite:///{tmp_path / name}"):
            pass
        assert "agent_thread" in rows(tmp_path / name)


async def test_database_in_memory_is_a_file_that_goes_away() -> None:
    async with Runtime("sqlite://") as runtime:
        assert await runtime.store.writer.run(lambda tx: tx.now)


def test_many_processes_make_one_new_file_at_once(tmp_path: Path) -> None:
    plans = [Plan(tmp_path, pace=0, send=(f"p{n}",), thread_id=f"t{n}") for n in range(4)]
    children = [spawn(plan) for plan in plans]
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    assert len(rows(tmp_path / "agents.db")["agent_thread"]) == 4


async def test_a_short_lock_only_delays_work(path: Path) -> None:
    """busy_timeout waits for the lock, so nothing fails and the model is asked once."""
    async with agent_on(path, lambda _: ["Yes."]) as api:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("begin immediate")
            sending = api.create_thread("Hi")
            task = asyncio.create_task(sending)
            await asyncio.sleep(0.3)
            assert not task.done()
            holder.execute("rollback")
        thread = await task
        assert (await finished(api, thread)).status == "completed"
        assert len(api.agent.model.requests) == 1  # type: ignore[union-attr]


# Schema


def schema(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "select sql from sqlite_master where name like '%agent%' and sql is not null"
        )
        return sorted(
            " ".join(row[0].replace('"', "").split()).replace("( ", "(")
            for row in found
            if VERSION_TABLE not in row[0] and "agent_search_fts" not in row[0]
        )


def test_the_migrations_lead_to_the_tables(path: Path, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        differences = map(str, compare_metadata(context, metadata))
        assert [d for d in differences if VERSION_TABLE not in d and "agent_search_fts" not in d] == []
    engine.dispose()
    made = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    metadata.create_all(made)
    made.dispose()
    normal = [sql.replace("CREATE TABLE ", "").replace("CREATE UNIQUE INDEX ", "") for sql in schema(path)]
    wanted = [
        sql.replace("CREATE TABLE ", "").replace("CREATE UNIQUE INDEX ", "")
        for sql in schema(tmp_path / "made.db")
    ]
    assert normal == wanted


async def test_opening_a_database_again_migrates_nothing(path: Path) -> None:
    async with Runtime(f"sqlite:///{path}", work=False):
        pass
    before = path.read_bytes()
    async with Runtime(f"sqlite:///{path}", work=False):
        pass
    assert path.read_bytes() == before


async def test_a_second_opening_in_a_process_leaves_the_locks_of_the_first(path: Path) -> None:
    """Without its locks, another process that closes the file would delete the log, and damage the database."""
    async with Store(f"sqlite:///{path}") as store:
        with opened(f"sqlite:///{path}", "NORMAL"):
            pass
        elsewhere = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select 1 from agent_thread'); c.close()"
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", elsewhere, str(path)], check=True)
        assert path.with_name(f"{path.name}-wal").exists()
        assert await store.get_thread("none") is None
