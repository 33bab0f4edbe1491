"""Interleaving of functions that wait, and of transactions of different threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from agent_core.errors import DatabaseError
from agent_core.store.database.interleave import interleave, switch
from agent_core.store.database.sql import THREAD, P, Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.database.writer import Writer
from tests.support.agents import agent_on

_STATUS = Statement(select(THREAD.c.status).where(THREAD.c.id == P("thread_id")))
_RENAME = Statement(
    update(THREAD).where(THREAD.c.id == P("thread_id")).values(title=P("new")).returning(THREAD.c.id)
)


def waiting(said: list[str], name: str, waits: int) -> Callable[[], None]:
    """Return a function that logs its progress and waits the given number of times."""

    def function() -> None:
        for number in range(waits):
            said.append(f"{name}{number}")
            assert switch()
        said.append(f"{name} ends")

    return function


def test_each_wait_serves_all() -> None:
    said: list[str] = []
    interleave([waiting(said, "a", 2), waiting(said, "b", 1)], lambda: said.append("received"))
    assert said == ["a0", "b0", "received", "a1", "b ends", "received", "a ends"]


def test_writer_alone_does_not_step_aside() -> None:
    assert not switch()
    interleave([], lambda: pytest.fail("nobody waits"))
    interleave([lambda: None], lambda: pytest.fail("nobody waits"))


@pytest.mark.parametrize("who", ["a function", "what receives"])
def test_an_error_ends_the_others_where_they_wait(who: str) -> None:
    said: list[str] = []

    def fails() -> None:
        switch()
        if who == "a function":
            raise LookupError(who)

    def receive() -> None:
        if who == "what receives":
            raise LookupError(who)

    def cleans_up() -> None:
        try:
            waiting(said, "b", 5)()
        finally:
            said.append("cleaned up")

    with pytest.raises(LookupError, match=who):
        interleave([fails, cleans_up, waiting(said, "c", 5)], receive)
    assert said == ["b0", "c0", "cleaned up"]


# Transactions


async def grouped(writer: Writer, *writes: Any) -> list[Any]:
    """Return the results of writes that share one commit, because they queue behind a slow one."""
    go = threading.Event()
    first = asyncio.ensure_future(writer.run(lambda tx: go.wait(20)))
    results = asyncio.gather(*writes, return_exceptions=True)
    await asyncio.sleep(0)  # lets the writes queue
    go.set()
    assert await first
    return await results


async def test_threads_wait_together_and_one_thread_never_with_itself(path: Path, database: str) -> None:
    said: list[tuple[int, str]] = []

    def look(tx: Tx, thread_id: str, name: str) -> str:
        said.append((ids.index(thread_id), f"{name} begins"))
        (status,) = tx.must(_STATUS, thread_id=thread_id)
        said.append((ids.index(thread_id), f"{name} ends"))
        return status

    async with agent_on(path, []) as api:
        ids = [(await api.create_thread()).id for _ in range(2)]
        writer = api.store.writer
        writes = [writer.run_for(one, look, one, name) for name in ("first", "second") for one in ids]
        writes.append(writer.run(look, ids[0], "alone"))
        writes.append(writer.run_for(ids[0], look, ids[0], "third"))
        assert await grouped(writer, *writes) == ["completed"] * 6
    for number, names in enumerate((["first", "second", "alone", "third"], ["first", "second"])):
        mine = [what for one, what in said if one == number]
        assert mine == [f"{name} {what}" for name in names for what in ("begins", "ends")]
    together = said[:2] == [(0, "first begins"), (1, "first begins")]
    assert together == (database == "postgresql"), said


async def test_failing_write_takes_no_other_along(path: Path) -> None:
    def rename(tx: Tx, thread_id: str, error: Exception | None) -> None:
        tx.must(_RENAME, thread_id=thread_id, new="renamed")
        if error is not None:
            raise error

    async with agent_on(path, []) as api:
        ids = [(await api.create_thread(title="old")).id for _ in range(3)]
        mine = LookupError("mine alone")
        writes = [
            api.store.writer.run_for(one, rename, one, error)
            for one, error in zip(ids, [None, mine, None], strict=True)
        ]
        assert await grouped(api.store.writer, *writes) == [None, mine, None]
        titles = [(await api.get_thread(one)).title for one in ids]  # type: ignore[union-attr]
        assert titles == ["renamed", "old", "renamed"]


async def test_refused_write_takes_no_other_along(path: Path) -> None:
    def count(tx: Tx, thread_id: str, broken: bool) -> int:
        if broken:
            tx.cursor.execute("SELECT no_such_column FROM agent_thread").fetchall()
        return len(tx.all(_STATUS, thread_id=thread_id))

    async with agent_on(path, []) as api:
        ids = [(await api.create_thread()).id for _ in range(3)]
        writes = [api.store.writer.run_for(one, count, one, one == ids[1]) for one in ids]
        first, refused, last = await grouped(api.store.writer, *writes)
        assert (first, last) == (1, 1)
        assert isinstance(refused, DatabaseError), refused
