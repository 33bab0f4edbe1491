"""Approvals: calls that wait for a person's yes, then run with the arguments that were shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_core import errors
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import action_tool, async_tool
from tests.support.agents import Follower, agent_on, finished, outcomes, tool_parts, waiting


@async_tool
async def ask(question: str) -> None:
    """Ask a person."""


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


async def test_an_approved_call_runs_with_the_arguments_shown(path: Path) -> None:
    model = ScriptedModel([[ToolUse("pay", {"amount": 5}, id=f"c{n}") for n in range(3)], ["Well."]])
    async with agent_on(path, model, tools=[pay]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            ids = await waiting(api, thread.id, 3)
            for trick in (api.add_tool_result("c0", "paid"), api.add_tool_error("c0", "No money.")):
                with pytest.raises(errors.ToolCallFinishedError, match="waits for approval"):
                    await trick
            with pytest.raises(errors.ToolCallNotFoundError):
                await api.approve_tool_calls(thread.id, ["c0", "nothing"])
            with pytest.raises(errors.ValidationError):
                await api.approve_tool_calls(thread.id, ["c0"], args={"c0": {"amount": "much"}})
            assert await waiting(api, thread.id, 3) == ids
            await api.approve_tool_calls(thread.id, ["c0", "c1"], args={"c1": {"amount": 7}})
            with pytest.raises(errors.ToolCallFinishedError):
                await api.approve_tool_calls(thread.id, ["c0"])
            await api.deny_tool_calls(thread.id, ["c2"], "Too dear.")
            await finished(api, thread)
            parts = await tool_parts(api, thread)
            assert [part.get("output") for part in parts] == ["paid 5", "paid 7", None]
            assert parts[1]["input"] == {"amount": 7}
            assert (parts[2]["state"], parts[2]["approval"]["reason"]) == ("output-denied", "Too dear.")
            await follower.agrees()
        assert outcomes(model) == ["paid 5", "paid 7", "Error: a person denied this call: Too dear."]


@pytest.mark.parametrize("reason", [None, "Too much."])
async def test_denial_reads_the_same_live_and_reloaded(path: Path, reason: str | None) -> None:
    model = ScriptedModel([[ToolUse("pay", {"amount": 5}, id="c")], ["Well."]])
    async with agent_on(path, model, tools=[pay]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await waiting(api, thread.id)
            await api.deny_tool_calls(thread.id, ["c"], reason)
            await finished(api, thread)
            await follower.agrees()
        info = (await api.list_messages(thread.id))[-1].error_info
        assert info == ({} if reason else {"c": {"code": "tool_call_denied", "params": {}}})


async def test_stop_while_an_approval_waits_closes_the_call(path: Path) -> None:
    uses = [ToolUse("pay", {"amount": 5}, id="c1"), ToolUse("ask", {"question": "?"}, id="c2")]
    async with agent_on(path, [uses, ["Well."]], tools=[pay, ask]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await waiting(api, thread.id, 2)
            await api.stop_thread(thread.id)
            assert [part["errorText"] for part in await tool_parts(api, thread)] == ["stopped"] * 2
            await follower.agrees()
        for late in (api.approve_tool_calls(thread.id, ["c1"]), api.add_tool_result("c2", 1)):
            with pytest.raises(errors.ToolCallFinishedError):
                await late
