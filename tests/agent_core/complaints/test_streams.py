"""Complaints about streaming, following, stopping and storing answers: rows 06, 07, 14 and 17."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agent_core import errors
from agent_core.streaming.fold import ThreadView
from agent_core.testing import eventually
from tests.support.agents import Follower, agent_on, finished, held, rows, texts, view_text, worker_of

LONG = 30.0  # seconds that a scripted model takes unless it is stopped


async def test_06_a_history_takes_room_in_proportion_to_its_turns(path: Path, tmp_path: Path) -> None:
    """Storage grows linearly with the number of turns, not quadratically."""
    said, sizes = "x" * 600, list[int]()
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


async def test_07_stop_reaches_the_process_that_runs_the_turn(path: Path) -> None:
    """A process without a worker can stop a thread that runs elsewhere, again after each resume."""
    asked: list[int] = []

    def turn(_: Any) -> list[Any]:
        asked.append(1)
        return [item for n in range(10_000) for item in (f"{n} ", 0.02)]

    async with agent_on(path, turn) as worker:
        thread = await worker.create_thread("Count")
        for round in range(3):  # each round stops the thread from a new process and resumes it
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
    """An answer is finished even if its only reader has left."""
    async with agent_on(path, [["A ", 0.1, "B ", 0.1, "C"]]) as api:
        thread = await api.create_thread("Hi")
        async for update in api.subscribe(thread.id):
            if any(chunk["type"] == "text-delta" for chunk in update.chunks):
                break  # the tab is closed
        done = await finished(api, thread)
        assert (done.status, (await texts(api, thread))[-1]) == ("completed", "A B C")


async def test_14_an_answer_survives_a_chat_switch(path: Path) -> None:
    """A reader who returns with a cursor gets the text that was written in the meantime."""
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


async def test_17_a_replay_repeats_nothing(path: Path) -> None:
    """A reader who reconnects after each update gets each word once."""
    deltas = ["Once ", "upon ", "a time."]
    async with agent_on(path, [[item for word in deltas for item in (word, 0.05)]]) as api:
        thread = await api.create_thread()
        shown, cursor, idle = "", thread.cursor, False
        await api.send_message(thread.id, "Go")
        while not idle:
            async with aclosing(
                api.subscribe(thread.id, cursor)
            ) as updates:  # each round is a new connection
                update = await anext(updates)
            assert update.type == "chunks"
            cursor = update.cursor
            shown += "".join(chunk["delta"] for chunk in update.chunks if chunk["type"] == "text-delta")
            idle = {"status": "completed"}.items() <= _thread(update.chunks).items()
    assert shown == "".join(deltas)


def _thread(chunks: Any) -> dict[str, Any]:
    """Return the thread's own fields from the chunks."""
    return {k: v for chunk in chunks if chunk["type"] == "data-thread" for k, v in chunk["data"].items()}


WORDS = [f"{n} " for n in range(7)]


@pytest.mark.parametrize("abort", ["stopped", "interrupted", "failed", "closed"])
async def test_17_a_tail_is_written_on_abort(path: Path, abort: str) -> None:
    """Text that waits for the next flush is written however its turn ends."""
    shown, said = asyncio.Event(), asyncio.Event()

    def turn(messages: list[dict[str, Any]]) -> Iterator[Any]:
        if messages[-1]["content"] == "Go":
            yield WORDS[0]
            yield from held(shown)
            yield from WORDS[1:]
            said.set()
            yield errors.ModelError("No.", kind="auth") if abort == "failed" else LONG

    async with agent_on(path, turn, throttle_ms=60_000) as api:  # the first word is flushed at once
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
