"""Outcomes from outside, from a callback or from a timeout: the first one stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_core import ToolContext, errors
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import async_tool, create_async_tool
from tests.support.agents import Follower, agent_on, finished, outcomes, rows, tool_parts, waiting


@async_tool
async def ask(question: str) -> None:
    """Ask a person."""


async def test_an_async_tool_gets_its_outcome_from_outside(path: Path) -> None:
    model = ScriptedModel([[ToolUse("ask", {"question": "?"}, id="c1")], ["Thanks."]])
    async with agent_on(path, model, tools=[ask]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await waiting(api, thread.id)
            assert not rows(path)["agent_wake_up"]
            await api.add_tool_result("c1", {"answer": 42})
            for again in (api.add_tool_result("c1", 1), api.add_tool_error("c1", "x")):
                with pytest.raises(errors.ToolCallFinishedError):
                    await again
            await finished(api, thread)
            assert outcomes(model) == ['{"answer": 42}']
            await follower.agrees()
        with pytest.raises(errors.ToolCallFinishedError):
            await api.add_tool_result("c1", 1)


async def test_an_error_from_outside(path: Path) -> None:
    async with agent_on(path, [[ToolUse("ask", {"question": "?"}, id="c1")], ["Well."]], tools=[ask]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)
        await api.add_tool_error("c1", "Nobody \0 is in.", thread_id=thread.id)
        await finished(api, thread)
        assert (await tool_parts(api, thread))[0]["errorText"] == "Nobody \ufffd is in."


async def test_unknown_and_ambiguous_ids(path: Path) -> None:
    async with agent_on(
        path, lambda m: [ToolUse("ask", {"question": "?"}, id="c1")] if len(m) == 1 else ["Ok."], tools=[ask]
    ) as api:
        made = [await api.create_thread("Go") for _ in range(2)]
        for thread in made:
            await waiting(api, thread.id)
        with pytest.raises(errors.ToolCallNotFoundError):
            await api.add_tool_result("nothing", 1)
        with pytest.raises(errors.ToolCallNotFoundError):
            await api.add_tool_result("c1", 1, thread_id="nothing")
        with pytest.raises(errors.AmbiguousToolCallError):
            await api.add_tool_error("c1", "x")
        with pytest.raises(errors.ValidationError):
            await api.add_tool_result("c1", object(), thread_id=made[0].id)
        for thread in made:
            await api.add_tool_result("c1", 1, thread_id=thread.id)
            await finished(api, thread)


async def test_outcomes_that_arrive_together_wake_one_step(path: Path) -> None:
    uses = [ToolUse("ask", {"question": f"{n}"}, id=f"c{n}") for n in range(12)]
    model = ScriptedModel([uses, ["Well."]])
    async with (
        agent_on(path, model, tools=[ask]) as api,
        agent_on(path, [], runtime={"work": False}) as other,
    ):
        thread = await api.create_thread("Go")
        await waiting(api, thread.id, 12)
        bring = [(api, other)[n % 2].add_tool_result(f"c{n // 2}", n) for n in range(24)]
        ends = await asyncio.gather(*bring, return_exceptions=True)
        assert sum(isinstance(end, errors.ToolCallFinishedError) for end in ends) == 12
        await finished(api, thread)
        assert len(model.requests) == 2
        assert len(outcomes(model)) == 12


async def test_an_async_tool_times_out(path: Path) -> None:
    quick = create_async_tool(name="quick", description="Answer soon.", timeout=0.1)
    async with agent_on(path, [[ToolUse("quick", id="c1")], ["Well."]], tools=[quick]) as api:
        thread = await api.create_thread("Go")
        await finished(api, thread)
        assert (await tool_parts(api, thread))[0]["state"] == "output-error"
        with pytest.raises(errors.ToolCallFinishedError):
            await api.add_tool_result("c1", 1)
    assert not rows(path)["agent_wake_up"]


async def test_the_outcome_may_come_before_the_callback_returns(path: Path) -> None:
    @async_tool
    async def instant(ctx: ToolContext) -> None:
        """Answer oneself."""
        await api.add_tool_result(ctx.tool_call_id, "now")

    async with agent_on(path, [[ToolUse("instant")], ["Well."]], tools=[instant]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert (await tool_parts(api, thread))[0]["output"] == "now"
