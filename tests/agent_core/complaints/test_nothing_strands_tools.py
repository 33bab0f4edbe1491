"""Tools that raise, return odd values or never return: the turn ends clearly and the thread continues."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import MAX_WORDS
from agent_core.testing import ToolUse
from agent_core.tools import action_tool
from tests.support.agents import agent_on, finished, texts, tool_parts
from tests.support.odd_errors import RAISED, add, goes_on


def raising(error: BaseException, asynchronous: bool) -> Any:
    """Return a tool that raises `error`."""

    @action_tool(name="wild")
    async def one() -> None:
        """Raise."""
        raise error

    @action_tool(name="wild")
    def other() -> None:
        """Raise, in a thread."""
        raise error

    return one if asynchronous else other


TOOL_RAISED = RAISED | {
    "its own cancellation": (asyncio.CancelledError(), "ancel"),
    "a generator's end": (GeneratorExit(), ""),
    "an iterator's": (StopIteration(), ""),
}


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("case", TOOL_RAISED)
async def test_error_in_a_tool_is_its_outcome(path: Path, case: str, asynchronous: bool) -> None:
    error, words = TOOL_RAISED[case]
    tool = raising(error, asynchronous)
    async with agent_on(path, [[ToolUse("wild")], ["Oh."], ["Yes."]], tools=[tool]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        assert (thread.status, (await texts(api, thread))[-1]) == ("completed", "Oh.")
        (part,) = await tool_parts(api, thread)
        assert words in part["errorText"]
        assert len(part["errorText"]) < MAX_WORDS + 100
        await goes_on(api, thread)


loop: list[Any] = []
loop.append(loop)
RETURNED: dict[str, tuple[Any, str]] = {
    "bytes": (b"x", "it holds a bytes"),
    "NaN": (float("nan"), "not JSON"),
    "infinity": ({"a": [float("inf")]}, "not JSON"),
    "5 MB": ("x" * 5_000_000, "the limit is 1,048,576"),
    "itself": (loop, "Circular reference"),
    "a coroutine": (add.handler, "it holds a function"),
    "a huge number": (10**5000, "not JSON"),
    "an exception": (ValueError("x"), "it holds a ValueError"),
}


@pytest.mark.parametrize("case", RETURNED)
async def test_result_of_any_tool_is_an_outcome(path: Path, case: str) -> None:
    value, words = RETURNED[case]

    @action_tool(name="wild")
    async def tool() -> Any:
        """Return something."""
        return value

    async with agent_on(path, [[ToolUse("wild")], ["Oh."], ["Yes."]], tools=[tool]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        assert (thread.status, (await texts(api, thread))[-1]) == ("completed", "Oh.")
        (part,) = await tool_parts(api, thread)
        assert words in (part.get("errorText") or "")
        await goes_on(api, thread)


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("end", ["timeout", "stop"])
async def test_a_tool_that_never_returns_fails_by_timeout_or_stop(
    path: Path, end: str, asynchronous: bool
) -> None:
    """The tool swallows its cancellation, or runs in an OS thread, which cannot be cancelled."""
    let_go, began = threading.Event(), asyncio.Event()
    running = asyncio.get_running_loop()

    async def stubborn() -> None:
        """Never return."""
        began.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if end == "timeout":
                raise

    def stuck() -> None:
        """Never return."""
        running.call_soon_threadsafe(began.set)
        let_go.wait(30)

    tool = action_tool(name="wild", timeout=0.3 if end == "timeout" else None)(
        stubborn if asynchronous else stuck
    )
    async with agent_on(
        path, [[ToolUse("wild")], *([["Oh."]] * (end == "timeout")), ["Yes."]], tools=[tool]
    ) as api:
        thread = await api.create_thread("Hi")
        await asyncio.wait_for(began.wait(), 20)
        if end == "stop":
            asked = time.monotonic()
            await api.stop_thread(thread.id)
            assert time.monotonic() - asked < 5
        await finished(api, thread)
        (part,) = await tool_parts(api, thread)
        assert part["errorText"] == (
            "stopped" if end == "stop" else "The tool wild did not answer within 0.3 s."
        )
        await goes_on(api, thread)
        let_go.set()
