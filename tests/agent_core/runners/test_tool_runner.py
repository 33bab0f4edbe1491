"""Tool calls: each gets exactly one outcome, whatever the tool or the model does."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agent_core import RetryPolicy, ToolContext
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import action_tool
from tests.support.agents import AT_ONCE, Follower, agent_on, finished, outcomes, texts, tool_parts


@action_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@action_tool
async def fail() -> None:
    """Fail."""
    raise OSError("The disk is full.")


async def test_a_call_runs_and_the_model_goes_on(path: Path) -> None:
    model = ScriptedModel([["Let me see. ", ToolUse("add", {"a": 1, "b": 2})], ["It is 3."]])
    async with agent_on(path, model, tools=[add]) as api:
        thread = await api.create_thread("1 + 2?")
        async with Follower(api, thread.id) as follower:
            await finished(api, thread)
            (part,) = await tool_parts(api, thread)
            assert part["type"] == "tool-add"
            assert (part["state"], part["input"], part["output"]) == (
                "output-available",
                {"a": 1, "b": 2},
                3,
            )
            await follower.agrees()
        assert await texts(api, thread) == ["1 + 2?", "Let me see. \n\nIt is 3."]
        assert outcomes(model) == ["3"]


BAD = {
    "unknown tool": (ToolUse("nothing", {}), "There is no tool 'nothing'; the tools are: add, fail"),
    "not JSON": (ToolUse("add", "{a: 1"), "not JSON"),
    "no object": (ToolUse("add", "[1]"), ""),
    "missing": (ToolUse("add", {"a": 1}), "b"),
    "wrong type": (ToolUse("add", {"a": "x", "b": 1}), "a"),
    "not asked for": (ToolUse("add", {"a": 1, "b": 1, "c": 1}), "c"),
    "raises": (ToolUse("fail"), "The disk is full."),
}


@pytest.mark.parametrize("case", BAD)
async def test_call_that_cannot_run_has_an_error_as_its_outcome(path: Path, case: str) -> None:
    use, words = BAD[case]
    model = ScriptedModel([[use, ToolUse("add", {"a": 1, "b": 2})], ["Well."]])
    async with agent_on(path, model, tools=[add, fail]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            assert (await finished(api, thread)).status == "completed"
            bad, good = await tool_parts(api, thread)
            assert bad["state"] == "output-error"
            assert words in bad["errorText"]
            assert good["output"] == 3
            await follower.agrees()
        assert outcomes(model)[0].startswith("Error")


async def test_a_failing_tool_is_tried_again(path: Path) -> None:
    tried: list[tuple[int, str]] = []

    @action_tool(retry=AT_ONCE)
    def flaky(ctx: ToolContext) -> str:
        """Fail twice."""
        tried.append((ctx.attempt, ctx.idempotency_key))
        if ctx.attempt < 3:
            raise OSError("Not now.")
        return "done"

    async with agent_on(path, [[ToolUse("flaky", id="c1")], ["Well."]], tools=[flaky]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await finished(api, thread)
            await follower.agrees()
        assert tried == [(n, f"{thread.id}:c1") for n in (1, 2, 3)]
        assert (await tool_parts(api, thread))[0]["output"] == "done"


async def test_words_of_the_last_attempt_are_the_outcome(path: Path) -> None:
    @action_tool(retry=RetryPolicy(max_attempts=2, initial_delay=0))
    async def never() -> None:
        """Never work."""
        raise OSError("Still not.")

    async with agent_on(path, [[ToolUse("never")], ["Well."]], tools=[never]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert (await tool_parts(api, thread))[0]["errorText"] == "Still not."


async def test_progress_is_shown_live(path: Path) -> None:
    seen = asyncio.Event()

    @action_tool
    async def slow(ctx: ToolContext) -> str:
        """Report."""
        await ctx.report({"percent": 50})
        await seen.wait()
        return "done"

    async with agent_on(path, [[ToolUse("slow", id="c1")], ["Well."]], tools=[slow]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.progress.get("c1") == {"percent": 50})
            seen.set()
            await finished(api, thread)
            await follower.agrees()
            assert not follower.view.progress


async def test_many_calls_of_one_step_run_at_once(path: Path) -> None:
    barrier = threading.Barrier(8)

    @action_tool
    def together(n: int) -> int:
        """Wait for the others."""
        barrier.wait(20)
        return n

    uses = [ToolUse("together", {"n": n}) for n in range(8)]
    async with agent_on(path, [uses, ["Well."]], tools=[together]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert [part["output"] for part in await tool_parts(api, thread)] == list(range(8))


async def test_calls_of_one_id_in_one_step_and_in_a_later_one_are_apart(path: Path) -> None:
    twice = [ToolUse("add", {"a": n, "b": 0}, id="same") for n in (1, 2)]
    async with agent_on(
        path, [twice, [ToolUse("add", {"a": 3, "b": 0}, id="same")], ["Well."]], tools=[add]
    ) as api:
        thread = await finished(api, await api.create_thread("Go"))
        parts = await tool_parts(api, thread)
        assert [part["output"] for part in parts] == [1, 2, 3]
        assert len({part["toolCallId"] for part in parts}) == 3
