"""Flushing around a stop: a step's text is stored before it stops, and nothing is stored twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_core.support import faults
from agent_core.testing import eventually
from tests.support.agents import Follower, agent_on, finished, texts

WORDS = [f"{n} " for n in range(7)]


@pytest.mark.parametrize("stops", [1, 3])
async def test_stop_without_deltas_keeps_the_words(path: Path, stops: int) -> None:
    said = asyncio.Event()

    def turn(_: Any) -> Iterator[Any]:
        yield from WORDS
        said.set()
        yield 30.0

    async with agent_on(path, turn, save_stream_deltas=False) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as page:
            await asyncio.wait_for(said.wait(), 20)
            await asyncio.gather(*(api.stop_thread(thread.id) for _ in range(stops)))
            assert await texts(api, thread) == ["Go", "".join(WORDS)]
            await page.agrees()


async def test_a_stop_beside_the_steps_own_commit_disturbs_nothing(path: Path) -> None:
    """Unflushed text is already part of the commit and must not be written twice."""
    told, stops, flushes = list[str](), list[asyncio.Task[Any]](), list[bool]()
    options: dict[str, Any] = {"on_turn_complete": lambda _, message: told.append(message.text)}
    async with agent_on(path, [WORDS], throttle_ms=60_000, **options) as api:
        faults.install("commit.before", lambda: stops.append(asyncio.create_task(api.stop_thread("t"))))
        faults.install("delta.before", lambda: flushes.append(True))
        try:
            await api.create_thread("Go", thread_id="t")
            done = await finished(api, "t")
            (stop,) = stops
            assert (done.status, (await stop).status, flushes) == ("completed", "completed", [])
        finally:
            faults.clear()
        async with Follower(api, "t") as page:
            await page.agrees()
            assert page.text == "".join(WORDS)
        await eventually(lambda: told == ["".join(WORDS)])
