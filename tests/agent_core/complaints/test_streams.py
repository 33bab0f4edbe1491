"""What people complain about while an answer is written, read, stopped and kept: rows 06, 07, 14 and 17."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest

from agent_core import errors
from agent_core.streaming.fold import ThreadView
from agent_core.testing import eventually
from tests.support.agents import Follower, agent_on, finished, held, rows, texts, view_text, worker_of

LONG = 30.0  # seconds that a scripted model would take if nobody stopped it


async def test_06_history_bloat(path: Path, tmp_path: Path) -> None:
    """History bloat: a checkpoint of the whole history after each turn grows with the square of the turns."""
    said, sizes, naive_sizes = "x" * 600, list[int](), list[int]()
    with closing(sqlite3.connect(tmp_path / "naive.db", isolation_level=None)) as naive:
        naive.execute("create table checkpoint (state)")
        history: list[str] = []
        for turn in range(60):
            history += [f"{turn}", said]
            naive.execute("insert into checkpoint values (?)", (json.dumps(history),))
            if turn in (29, 59):
                naive_sizes += naive.execute("select sum(length(state)) from checkpoint").fetchone()
    assert naive_sizes[1] > 3.8 * naive_sizes[0]

    async with agent_on(path, lambda _: [said], throttle_ms=100) as api:
        thread = await api.create_thread()
        for turn in range(60):
            await api.send_message(thread.id, f"{turn}")
            await finished(api, thread)
            if turn in (29, 59):
                found = rows(path)
                sizes.append(sum(len(str(row)) for table in found.values() for row in table))
                assert len(found["agent_delta"]) < 12
    assert sizes[1] < 2.2 * sizes[0]
    assert sizes[1] < naive_sizes[1] / 5


class NaiveProcess:
    """A process that stops the threads that it has been told of itself."""

    def __init__(self) -> None:
        self.stopped = set[str]()

    async def count(self, thread_id: str) -> list[int]:
        said: list[int] = []
        while thread_id not in self.stopped and len(said) < 5:
            said.append(len(said))
            await asyncio.sleep(0)
        return said


async def test_07_stop_ignored_on_a_resumed_stream(path: Path) -> None:
    """Stop ignored on a resumed stream: who stops is another process than the one that runs it."""
    here, there = NaiveProcess(), NaiveProcess()
    counting = asyncio.create_task(here.count("t"))
    there.stopped.add("t")
    assert len(await counting) == 5

    asked: list[int] = []

    def turn(_: Any) -> list[Any]:
        asked.append(1)
        return [item for n in range(10_000) for item in (f"{n} ", 0.02)]

    async with agent_on(path, turn) as worker:
        thread = await worker.create_thread("Count")
        for round in range(3):  # stopped, resumed, stopped again, by whoever has just joined
            await eventually(lambda round=round: len(asked) > round)
            async with agent_on(path, [], runtime={"work": False}) as tab:
                async for update in tab.subscribe(thread.id):
                    if any(chunk["type"] == "text-delta" for chunk in update.chunks):
                        break
                stopped = await tab.stop_thread(thread.id)
                assert stopped.status == "stopped"
                await eventually(lambda: not worker_of(worker).pools.steps.busy)
                said = await texts(tab, thread)
                await asyncio.sleep(0.1)
                assert await texts(tab, thread) == said
                await tab.resume_thread(thread.id)
        await worker.stop_thread(thread.id)


async def test_07_a_closed_tab_is_not_a_stop(path: Path) -> None:
    """A closed tab is not a stop: an answer that is bound to its reader ends with it."""
    written: list[str] = []

    async def bound_to_its_reader() -> AsyncGenerator[str]:
        for word in ("A ", "B ", "C"):
            written.append(word)
            yield word
            await asyncio.sleep(0)

    reader = bound_to_its_reader()
    await anext(reader)
    await reader.aclose()
    assert written == ["A "]

    async with agent_on(path, [["A ", 0.1, "B ", 0.1, "C"]]) as api:
        thread = await api.create_thread("Hi")
        async for update in api.subscribe(thread.id):
            if any(chunk["type"] == "text-delta" for chunk in update.chunks):
                break  # the tab is closed
        done = await finished(api, thread)
        assert (done.status, (await texts(api, thread))[-1]) == ("completed", "A B C")


async def test_14_an_answer_lost_on_a_chat_switch(path: Path) -> None:
    """An answer lost on a chat switch: words go to whoever listens just then."""
    listeners: list[list[str]] = []

    def naive_say(word: str) -> None:
        for listener in listeners:
            listener.append(word)

    page: list[str] = []
    listeners.append(page)
    naive_say("One ")
    listeners.remove(page)  # the person looks at another chat
    naive_say("two ")
    listeners.append(page)
    naive_say("three.")
    assert page == ["One ", "three."]

    left, said, back = (asyncio.Event() for _ in range(3))

    def turn(_: Any) -> Iterator[Any]:
        yield "One "
        yield from held(left)
        yield "two "
        said.set()
        yield from held(back)
        yield "three."

    async with agent_on(path, turn) as api:
        thread = await api.create_thread("Count")
        view = ThreadView()

        async def look_until(word: str) -> None:
            async with aclosing(api.subscribe(thread.id, view.cursor or None)) as updates:
                async for update in updates:
                    view.apply(update)
                    if word in view_text(view.messages[-1]):
                        return

        await look_until("One ")
        left.set()
        await said.wait()
        back.set()
        await look_until("three.")
        assert view_text(view.messages[-1]) == "One two three."


async def test_17_duplicates_after_replay(path: Path) -> None:
    """Duplicates after replay: a tab that comes back is sent the stream from its beginning."""
    deltas = ["Once ", "upon ", "a time."]
    naive_tab = deltas[:2]  # it has these, and loses its connection
    naive_tab += deltas
    assert "".join(naive_tab) == "Once upon Once upon a time."

    async with agent_on(path, [[item for word in deltas for item in (word, 0.05)]]) as api:
        thread = await api.create_thread()
        shown, cursor, idle = "", thread.cursor, False
        await api.send_message(thread.id, "Go")
        while not idle:
            async with aclosing(
                api.subscribe(thread.id, cursor)
            ) as updates:  # it loses its connection each time
                update = await anext(updates)
            assert update.type == "chunks"
            cursor = update.cursor
            shown += "".join(chunk["delta"] for chunk in update.chunks if chunk["type"] == "text-delta")
            idle = {"status": "completed"}.items() <= _thread(update.chunks).items()
    assert shown == "".join(deltas)


def _thread(chunks: Any) -> dict[str, Any]:
    """Return what chunks say of the thread itself."""
    return {k: v for chunk in chunks if chunk["type"] == "data-thread" for k, v in chunk["data"].items()}


class NaiveStream:
    """Gathers words and writes down four at a time; an abort ends it where it stands."""

    def __init__(self) -> None:
        self.gathered, self.written = list[str](), list[str]()

    def say(self, word: str) -> None:
        self.gathered.append(word)
        if len(self.gathered) == 4:
            self.written += self.gathered
            self.gathered.clear()

    def abort(self) -> None:
        self.gathered.clear()


WORDS = [f"{n} " for n in range(7)]


@pytest.mark.parametrize("abort", ["stopped", "interrupted", "failed", "closed"])
async def test_17_a_tail_lost_on_abort(path: Path, abort: str) -> None:
    """A delta tail lost on abort: what was gathered for the next flush is dropped."""
    naive = NaiveStream()
    for word in WORDS:
        naive.say(word)
    naive.abort()
    assert naive.written == WORDS[:4]

    shown, said = asyncio.Event(), asyncio.Event()

    def turn(messages: list[dict[str, Any]]) -> Iterator[Any]:
        if messages[-1]["content"] == "Go":
            yield WORDS[0]
            yield from held(shown)
            yield from WORDS[1:]
            said.set()
            yield errors.ModelError("No.", kind="auth") if abort == "failed" else LONG

    async with agent_on(path, turn, throttle_ms=60_000) as api:  # the first word goes at once
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as page:
            await page.until(lambda _: page.text == WORDS[0])
            shown.set()
            await asyncio.wait_for(said.wait(), 20)
            if abort == "stopped":
                await api.stop_thread(thread.id)
            elif abort == "interrupted":
                await api.send_message(thread.id, "No.", when_busy="interrupt")
            if abort != "closed":
                await finished(api, thread)
                await page.agrees()
                assert (await texts(api, thread))[1] == "".join(WORDS)
    async with agent_on(path, [], runtime={"work": False}) as reader, Follower(reader, thread.id) as page:
        await page.agrees()
        assert "".join(WORDS) in [view_text(message) for message in page.view.messages]
