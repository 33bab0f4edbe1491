"""Complaints about concurrent writers: rows 08, 09, 10 and 16."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from agent_core import Runtime, define_internal_agent_api
from agent_core.llm import Finish, ModelEvent, ModelRequest, TextDelta
from agent_core.streaming.fold import ThreadView
from agent_core.testing import ScriptedModel, eventually
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import make_agent
from tests.support.agents import agent_on, finished, lose_leases, texts, view_text, worker_of
from tests.support.databases import prepare


async def test_08_follow_ups_sent_at_once_are_each_answered_once(path: Path) -> None:
    """Follow-ups are neither lost, replayed nor overwritten when two runtimes queue them at once."""
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
    """Model that writes a word, waits, and ignores its cancellation, as a suspended process does."""

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


async def test_09_a_worker_without_its_lease_writes_nothing(path: Path, tmp_path: Path) -> None:
    """A worker that continues after it lost its lease writes nothing into the thread."""
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
                    sleeper.awake.set()  # the sleeper still considers itself the owner of the thread
                if view.thread["status"] == "completed":
                    break
            await eventually(lambda: not worker_of(one).pools.steps.busy)
            assert await texts(two, thread) == ["?", "".join(words)]
    assert asleep
    assert seqs == sorted(seqs), "the one that lost the thread has written behind the other's first word"
    assert all(len({word[0] for word in text.split()}) <= 1 for text in shown), shown


@pytest.mark.sqlite  # only SQLite raises this error
async def test_10_writers_of_two_runtimes_wait_for_each_other(tmp_path: Path) -> None:
    """Writes of two runtimes at once never fail with SQLite's "database is locked"."""
    file = prepare(tmp_path / "agents.db")
    async with agent_on(file, []) as one, agent_on(file, []) as two:
        before = await one.create_thread(thread_id="t")
        tabs = (one, two)
        await asyncio.gather(*(tabs[n % 2].update_thread("t", metadata={"n": n}) for n in range(200)))
        after = await one.get_thread("t")
    assert after is not None
    assert after.cursor == before.cursor + 200


@contextlib.contextmanager
def running(*children: ForkServerProcess) -> Generator[None]:
    """Kill the processes on exit."""
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.join()


async def test_16_two_workers_run_each_step_once(tmp_path: Path) -> None:
    """Two workers on one database run each step once, and a restart repeats none."""
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
    assert len(counts) == 11 * 4  # two model steps and two tools of each thread
    assert set(counts.values()) == {1}
