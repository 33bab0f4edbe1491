"""Hooks of committed steps: they run even if the step is cancelled before its commit returns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_core import RetryPolicy, errors
from agent_core.store.turns import steps
from agent_core.support.shielding import shielded
from agent_core.testing import eventually
from tests.support.agents import agent_on, worker_of

BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)
ENDS: dict[str, tuple[Callable[..., Any], list[Any], str]] = {
    "on_turn_complete": (steps.commit, ["Yes."], "committed"),
    "on_retry": (steps.retry, [BUSY], "retried"),
    "on_error": (steps.fail, [errors.ModelError("No.", kind="auth")], "failed"),
}


@pytest.mark.parametrize("hook", ENDS)
async def test_a_step_that_is_cancelled_while_it_ends_runs_its_hook_and_is_counted_once(
    path: Path, hook: str
) -> None:
    """Until its hook runs, a committed step looks like one that goes on without its fence."""
    end, turn, outcome = ENDS[hook]
    told: list[Any] = []
    landed, go = threading.Event(), threading.Event()
    options: dict[str, Any] = {hook: lambda *args: told.append(args), "retry": RetryPolicy(initial_delay=600)}
    async with agent_on(path, [turn], **options) as api:
        ended: list[str] = []
        api.store.observers.add(lambda event: ended.append(getattr(event, "outcome", "")))
        writer = api.store.writer
        deliver = writer._deliver

        def late(group: list[Any]) -> None:
            if any(write.function is end for write in group):
                landed.set()
                go.wait(20)
            deliver(group)

        writer._deliver = late  # type: ignore[method-assign]
        await api.create_thread("Hi")
        assert await asyncio.to_thread(landed.wait, 20)
        await worker_of(api)._stop_watch._cancel_stale()  # pyright: ignore[reportPrivateUsage]
        await asyncio.sleep(0)
        go.set()
        await eventually(lambda: told)
        await eventually(lambda: not worker_of(api).pools.steps.busy)
        assert len(told) == 1
        assert [each for each in ended if each] == [outcome]


async def test_commit_ends_before_the_cancellation_is_raised() -> None:
    go, said = asyncio.Event(), list[str]()

    async def work() -> None:
        await go.wait()
        said.append("done")

    doing = asyncio.create_task(shielded(work()))
    await asyncio.sleep(0)
    doing.cancel()
    await asyncio.sleep(0.01)
    assert not doing.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert said == ["done"]


async def test_second_cancellation_does_not_wait_for_the_commit() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    doing = asyncio.create_task(shielded(work()))
    await asyncio.sleep(0)
    for _ in range(2):
        doing.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await doing
    await asyncio.wait_for(ended.wait(), 20)


async def test_commit_returns_and_raises_what_its_function_does() -> None:
    async def answer(error: Exception | None) -> int:
        if error is not None:
            raise error
        return 42

    assert await shielded(answer(None)) == 42
    with pytest.raises(KeyError, match="x"):
        await shielded(answer(KeyError("x")))
