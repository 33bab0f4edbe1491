"""Single runs of a tool's handler, whatever the handler does."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import datetime
import functools
import threading
from typing import Any

import pytest

from agent_core.errors import ValidationError
from agent_core.tools import ToolContext, action_tool, create_action_tool
from tests.support.tools import CTX, Place, get_weather, run


async def test_arguments_arrive_as_the_types_they_are_declared_as():
    @action_tool
    async def kinds(day: datetime.date, places: list[Place], count: int = 1, **more: int) -> Any:
        return day, places, count, more

    raw = '{"day": "2026-11-22", "places": [{"name": "Rome"}], "count": "2", "x": 7}'
    assert await run(kinds, raw) == (datetime.date(2026, 11, 22), [Place(name="Rome")], 2, {"x": 7})


async def test_the_context_is_passed():
    assert (await run(get_weather, '{"location": "Rome"}'))["attempt"] == 2


async def test_sync_handlers_run_beside_the_loop_with_its_context():
    who = contextvars.ContextVar("who", default="nobody")
    who.set("me")

    @action_tool
    def where() -> tuple[str, bool]:
        return who.get(), threading.current_thread() is threading.main_thread()

    assert await run(where) == ("me", False)


async def test_a_sync_function_that_returns_an_awaitable_is_awaited():
    async def answer() -> int:
        return 42

    class Answering:
        async def __call__(self, number: int) -> int:
            return number

    assert await run(create_action_tool(handler=lambda: answer())) == 42
    assert await run(create_action_tool(handler=Answering()), '{"number": 3}') == 3
    assert await run(create_action_tool(handler=functools.partial(answer))) == 42


async def test_progress_from_both_kinds_of_handlers():
    seen: list[Any] = []

    async def report(data: Any) -> None:
        seen.append(data)

    @action_tool
    async def slow(ctx: ToolContext) -> None:
        await ctx.report({"done": 1, "at": datetime.date(2026, 11, 22)})

    @action_tool
    def slow_sync(ctx: ToolContext) -> None:
        ctx.report_from_thread("half")

    @action_tool
    async def wrong(ctx: ToolContext) -> None:
        await ctx.report(b"bytes")

    ctx = dataclasses.replace(CTX, _report=report)
    await run(slow, ctx=ctx)
    await run(slow_sync, ctx=ctx)
    assert seen == [{"done": 1, "at": "2026-11-22"}, "half"]
    with pytest.raises(ValidationError, match="not JSON"):
        await run(wrong, ctx=ctx)


class Odd(BaseException):
    pass


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize(
    ("raised", "expected", "words"),
    [
        (KeyError("k"), KeyError, "k"),
        (TimeoutError("the server's own"), TimeoutError, "the server's own"),
        (SystemExit(3), RuntimeError, "raised SystemExit"),
        (Odd("x"), RuntimeError, "raised Odd"),
        (StopIteration(1), RuntimeError, "StopIteration"),
        (asyncio.CancelledError(), RuntimeError, "cancelled itself|raised CancelledError"),
        (BaseExceptionGroup("g", [SystemExit(1)]), RuntimeError, "raised BaseExceptionGroup"),
    ],
)
async def test_error_of_any_handler_ends_its_own_call_only(
    raised: BaseException, expected: type[Exception], words: str, asynchronous: bool
):
    async def raise_it() -> None:
        raise raised

    def raise_in_thread() -> None:
        raise raised

    tool = create_action_tool(handler=raise_it if asynchronous else raise_in_thread, timeout=5)
    with pytest.raises(expected, match=words):
        await run(tool)


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_stop_from_outside_passes_through(asynchronous: bool):
    running, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    async def hang() -> None:
        running.set()
        await asyncio.Event().wait()

    def hang_in_thread() -> None:
        loop.call_soon_threadsafe(running.set)
        released.wait(5)

    tool = create_action_tool(handler=hang if asynchronous else hang_in_thread)
    task = asyncio.create_task(run(tool))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    released.set()
