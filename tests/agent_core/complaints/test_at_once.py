"""What people complain about when two do something at once: rows 08, 09, 10 and 16."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Generator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from agent_core import Runtime, define_internal_agent_api
from agent_core.llm import Finish, ModelEvent, ModelRequest, TextDelta
from agent_core.streaming.fold import ThreadView
from agent_core.testing import ScriptedModel, eventually
from tests.chaos.worker import Plan, spawn, start
from tests.chaos.world import Effects, make_agent
from tests.support import naive_designs
from tests.support.agents import agent_on, finished, lose_leases, texts, view_text, worker_of
from tests.support.databases import prepare


async def test_08_follow_ups_lost_under_concurrent_sends(path: Path) -> None:
    """Follow-ups lost, replayed or overwritten: a blob that two tabs read, change and write back."""
    blob: list[str] = []

    async def naive_send(text: str) -> None:
        nonlocal blob
        read = list(blob)
        await asyncio.sleep(0)
        blob = [*read, text]

    await asyncio.gather(*(naive_send(f"{n}") for n in range(20)))
    assert len(blob) < 20

    answer: Any = lambda m: [f"To {m[-1]['content']}"]  # noqa: E731
    async with agent_on(path, answer) as one, agent_on(path, answer) as two:
        await one.create_thread(thread_id="t")
        tabs = [(one, two)[n % 2] for n in range(20)]
        sends = [
            tab.send_message("t", f"{n}", message_id=f"m{n}", when_busy="queue") for n, tab in enumerate(tabs)
        ]
        again = [one.send_message("t", f"{n}", message_id=f"m{n}", when_busy="queue") for n in range(20)]
        await asyncio.gather(*sends, *again)
        await finished(one, "t")
        said = await texts(one, "t")
    asked, answers = said[::2], said[1::2]
    assert sorted(asked, key=int) == [f"{n}" for n in range(20)]
    assert answers == [f"To {text}" for text in asked]


class Deaf(ScriptedModel):
    """A model that says a word, waits, and then goes on although it is cancelled, as if its process slept."""

    def __init__(self) -> None:
        super().__init__([])
        self.awake = asyncio.Event()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        yield TextDelta("a0 ")
        while not self.awake.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.awake.wait()
        for n in range(1, 10):
            yield TextDelta(f"a{n} ")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.02)
        yield Finish("stop")


async def test_09_two_workers_interleave_one_thread(path: Path, tmp_path: Path) -> None:
    """Two workers interleave one thread: each has read that nobody works on it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "naive.db", isolation_level=None)) as rows:
        rows.execute("create table thread (status, answer)")
        rows.execute("insert into thread values ('pending', '')")

        async def naive_worker(name: str) -> None:
            (status,) = rows.execute("select status from thread").fetchone()
            await asyncio.sleep(0)
            if status == "pending":
                rows.execute("update thread set status = 'running'")
                for n in range(3):
                    rows.execute("update thread set answer = answer || ?", (f"{name}{n} ",))
                    await asyncio.sleep(0)

        await asyncio.gather(naive_worker("a"), naive_worker("b"))
        assert rows.execute("select answer from thread").fetchone() == ("a0 b0 a1 b1 a2 b2 ",)

    words, sleeper = [f"b{n} " for n in range(15)], Deaf()
    view, shown, seqs, asleep = ThreadView(), list[str](), list[int](), False
    async with agent_on(path, sleeper) as one:
        thread = await one.create_thread("?")
        async with agent_on(path, [[item for word in words for item in (word, 0.02)]]) as two:
            async for update in two.subscribe(thread.id):
                view.apply(update)
                shown.append(view_text(view.messages[-1]))
                seqs += [update.seq] if update.seq else []
                if not asleep and shown[-1] == "a0 ":
                    asleep = True
                    await lose_leases(one)
                elif shown[-1].startswith("b"):
                    sleeper.awake.set()  # and it believes that the thread is its own
                if view.thread["status"] == "completed":
                    break
            await eventually(lambda: not worker_of(one).pools.steps.busy)
            assert await texts(two, thread) == ["?", "".join(words)]
    assert asleep
    assert seqs == sorted(seqs), "the one that lost the thread has written behind the other's first word"
    assert all(len({word[0] for word in text.split()}) <= 1 for text in shown), shown


@pytest.mark.sqlite  # it is SQLite's own complaint
async def test_10_database_is_locked(tmp_path: Path) -> None:
    """SQLite "database is locked": two transactions that read first and then want to write."""
    file = prepare(tmp_path / "agents.db")
    with sqlite3.connect(file, isolation_level=None) as a, sqlite3.connect(file, isolation_level=None) as b:
        for connection in (a, b):
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM agent_thread").fetchone()
        a.execute("UPDATE agent_thread SET title = 'a'")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            b.execute("UPDATE agent_thread SET title = 'b'")
        for connection in (a, b):
            connection.execute("ROLLBACK")
    a.close()
    b.close()

    async with agent_on(file, []) as one, agent_on(file, []) as two:
        await one.create_thread(thread_id="t")
        tabs = (one, two)
        await asyncio.gather(*(tabs[n % 2].update_thread("t", metadata={"n": n}) for n in range(200)))


@contextlib.contextmanager
def running(*children: ForkServerProcess) -> Generator[None]:
    """Kill these in the end."""
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.join()


async def doubled(folder: Path) -> bool:
    """Let two stock schedulers look into one jobstore at once; return whether a job ran twice."""
    folder.mkdir()
    jobs = Effects(folder / "jobs.log")
    with contextlib.ExitStack() as processes:
        for name in ("one", "two"):  # not at once: both would make the table
            processes.enter_context(running(start(naive_designs.share_jobstore, folder, name)))
            await eventually((folder / name).exists)
        (folder / "go").touch()
        with contextlib.suppress(AssertionError):
            await eventually(lambda: 2 in jobs.count().values(), timeout=5)
    return 2 in jobs.count().values()


async def test_16_two_schedulers_on_one_jobstore(tmp_path: Path) -> None:
    """Two schedulers on one jobstore: each runs the same job; and what was done is done again after a restart."""
    for number in range(6):  # on a busy machine one of them may be done before the other looks
        if await doubled(tmp_path / f"stock-{number}"):
            break
    else:
        pytest.fail("Stock schedulers never ran a job twice.")

    prepare(tmp_path / "agents.db")
    plan = Plan(tmp_path)
    async with Runtime(plan.url, work=False) as watching:
        api = define_internal_agent_api(watching, make_agent(plan.effects, 0))
        for names in ([f"t{n}" for n in range(10)], ["after-a-restart"]):
            with running(spawn(plan), spawn(plan)):
                for name in names:
                    await api.create_thread(f"short {name}", thread_id=name)
                for name in names:
                    assert (await finished(api, name)).status == "completed"
    counts = plan.effects.count()
    assert len(counts) == 11 * 4  # of each the two model steps and the two tools
    assert set(counts.values()) == {1}
