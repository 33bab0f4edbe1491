"""Checkpoints beside the writer: the write-ahead log stays short, whatever its thread and its readers do."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from agent_core.store.database import checkpoints
from agent_core.store.database.checkpoints import Checkpoints
from agent_core.store.store import Store
from agent_core.testing import eventually

MAX = 256 << 10
ROUND = 64  # transactions of 8 KiB: two times the limit


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limits, so that a few transactions reach them."""
    monkeypatch.setattr(checkpoints, "MAX_BYTES", MAX)
    monkeypatch.setattr(checkpoints, "CHANGED_ROWS", 10)
    monkeypatch.setattr(checkpoints, "CHECK_INTERVAL", 0.0)


def put(tx: Any, name: str) -> None:
    tx.cursor.execute("insert into scratch values (:name, hex(randomblob(4096)))", {"name": name})


async def write(store: Store, sizes: list[int], rounds: int = 1) -> None:
    """Make transactions one after the other, and note the size of the log after each."""
    assert store.path is not None
    await store.writer.run(lambda tx: tx.cursor.execute("create table if not exists scratch (name, text)"))
    for number in range(rounds * ROUND):
        await store.writer.run(put, str(number))
        sizes.append(log_of(store).stat().st_size)


def log_of(store: Store) -> Path:
    assert store.path is not None
    return store.path.with_name(f"{store.path.name}-wal")


def count(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("select count(*) from scratch").fetchall()[0][0]


def store_at(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'agents.db'}")


def nothing(_self: Checkpoints) -> None:
    """End the thread at once."""


@pytest.mark.parametrize("thread", ["lives", "died"])
async def test_log_is_bounded(thread: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if thread == "died":
        monkeypatch.setattr(Checkpoints, "_main", nothing)
    sizes: list[int] = []
    async with store_at(tmp_path) as store:
        await write(store, sizes, rounds=8)
        assert count(store.path or tmp_path) == 8 * ROUND
    # The writer looks at the log after the caller has its result, so one more transaction may be in it.
    assert max(sizes) < MAX + 64_000


async def test_thread_alone_keeps_the_log_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As long as the log is not too long, the writer makes no checkpoint."""
    monkeypatch.setattr(Checkpoints, "_empty", lambda *_: pytest.fail("the writer has emptied the log"))
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 1 << 30)
    async with store_at(tmp_path) as store:
        sizes: list[int] = []

        async def written() -> bool:
            # The log begins anew with the first transaction after a whole copy.
            await write(store, sizes)
            return sizes[-1] == sizes[-ROUND]

        await eventually(written)


async def test_thread_that_hangs_blocks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A checkpoint that hangs (its disk does not answer) keeps the log from being emptied, but not the writes."""
    ends, hangs = threading.Event(), threading.Event()

    def hang(self: Checkpoints) -> None:
        with self._running:  # pyright: ignore[reportPrivateUsage]
            hangs.set()
            ends.wait()

    monkeypatch.setattr(Checkpoints, "_copy", hang)
    monkeypatch.setattr(checkpoints, "READERS_TIMEOUT", 0.01)
    sizes: list[int] = []
    async with store_at(tmp_path) as store:
        await write(store, sizes, rounds=2)
        assert hangs.is_set()
        assert max(sizes) > 2 * MAX
        ends.set()
        await write(store, sizes, rounds=2)
        assert min(sizes[-2 * ROUND :]) < MAX, "the log was emptied as soon as that was possible"


@contextlib.contextmanager
def reader(path: Path) -> Generator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as one:
        one.execute("begin")
        one.execute("select count(*) from scratch").fetchall()
        yield one


async def test_long_reader_delays_the_end_of_the_log_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """SQLite must keep what a reader may still read. Writes go on, and the log is emptied when it has gone."""
    monkeypatch.setattr(checkpoints, "READERS_TIMEOUT", 0.01)
    monkeypatch.setattr(checkpoints, "_WARN_BYTES", 2 * MAX)
    sizes: list[int] = []
    async with store_at(tmp_path) as store:
        await write(store, sizes)
        path = store.path or tmp_path
        with reader(path) as one:
            before = one.execute("select count(*) from scratch").fetchall()
            await write(store, sizes, rounds=4)
            assert max(sizes) > 4 * MAX
            assert one.execute("select count(*) from scratch").fetchall() == before
        await write(store, sizes, rounds=2)
        assert sizes[-1] < MAX + 64_000
        assert count(path) == 7 * ROUND
    warnings = [message for message in caplog.messages if "from being emptied" in message]
    assert len(warnings) == 3, "one for each time that the log has doubled"


async def test_readers_that_overlap_do_not_make_the_log_grow(tmp_path: Path):
    """At every moment somebody reads, but nobody for long. SQLite alone would never reuse the log.

    On a busy machine readers may outlast some attempts, each of which allows the log another `MAX`.
    """
    sizes: list[int] = []
    async with store_at(tmp_path) as store:
        await write(store, sizes)
        done = threading.Event()
        path = store.path or tmp_path

        def read() -> None:
            while not done.wait(0.001):
                with reader(path):
                    done.wait(0.01)

        readers = [asyncio.create_task(asyncio.to_thread(read)) for _ in range(3)]
        try:
            await write(store, sizes, rounds=10)
        finally:
            done.set()
            await asyncio.gather(*readers)
    assert max(sizes) < 10 * MAX, "20 times the limit was written"


async def test_closing_leaves_one_file_and_no_thread(tmp_path: Path):
    async with store_at(tmp_path) as store:
        await write(store, [])
        assert "agent_core-checkpoints" in names()
    assert "agent_core-checkpoints" not in names()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["agents.db"]


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def refuse(*_: Any) -> None:
    raise OSError("No space left on device")


@pytest.mark.parametrize("what", ["_empty", "_copy"])
async def test_checkpoint_that_fails_fails_no_write(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The commit before it is done: a failure must neither reach its caller nor run its function again."""
    fails: Callable[..., None] = refuse
    monkeypatch.setattr(Checkpoints, what, fails)
    async with store_at(tmp_path) as store:
        await write(store, [], rounds=2)
        await eventually(lambda: "No space left" in caplog.text)
        assert count(store.path or tmp_path) == 2 * ROUND
    assert count(tmp_path / "agents.db") == 2 * ROUND
