"""Tool calls of branches: each branch keeps its own calls, even if the model repeats their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, Thread, errors
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import Follower, agent_on, finished, texts, tool_parts
from tests.support.branches import ids, talk


@action_tool
async def look(x: int) -> int:
    """Look."""
    return x + 1


@action_tool(needs_approval=True)
async def pay(to: str) -> str:
    """Pay."""
    return f"paid {to}"


async def test_call_ids_that_a_model_repeats_are_unique_in_every_branch(path: Path) -> None:
    asked = 0

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        nonlocal asked
        if messages[-1]["role"] == "tool":
            return ["saw ", messages[-1]["content"]]
        asked += 1
        return [ToolUse("look", {"x": asked}, id="call_1")]

    async with agent_on(path, turn, tools=[look]) as api:
        thread = await talk(api, "a")
        async with Follower(api, thread.id) as follower:
            question, one = await ids(api, thread)
            for _ in range(3):
                await api.regenerate(thread.id, question)
                await finished(api, thread)
                await follower.agrees()
            answers = (await api.list_messages(thread.id))[1].branches
            calls = set[str]()
            for number, answer in enumerate(answers, 1):
                await api.select_branch(thread.id, answer)
                (part,) = await tool_parts(api, thread)
                assert (part["input"], part["output"]) == ({"x": number}, number + 1)
                assert (await texts(api, thread))[1] == f"saw {number + 1}"
                calls.add(part["toolCallId"])
                await follower.agrees()
            assert len(calls) == 4
            assert "call_1" in calls
            assert answers[0] == one


async def test_regenerate_after_an_approval_asks_for_a_new_approval(path: Path) -> None:
    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Done."] if messages[-1]["role"] == "tool" else [ToolUse("pay", {"to": "eve"}, id="c")]

    async def waits(api: AgentApi, thread: Thread) -> str:
        async def find() -> str | None:
            found = await tool_parts(api, thread)
            return found[0]["toolCallId"] if found and found[0]["state"] == "approval-requested" else None

        found = await eventually(find)
        assert found is not None
        return found

    async with agent_on(path, turn, tools=[pay]) as api:
        thread = await api.create_thread("a")
        async with Follower(api, thread.id) as follower:
            first = await waits(api, thread)
            question, answer = await ids(api, thread)
            with pytest.raises(errors.ThreadBusyError):
                await api.regenerate(thread.id, answer)
            await api.approve_tool_calls(thread.id, [first], args={first: {"to": "bob"}})
            await finished(api, thread)
            await api.regenerate(thread.id, answer)
            second = await waits(api, thread)
            assert second != first
            with pytest.raises(errors.ToolCallFinishedError):
                await api.approve_tool_calls(thread.id, [first])
            await api.stop_thread(thread.id)  # the call fails and `pay` does not run
            await follower.agrees()
            with pytest.raises(errors.ToolCallFinishedError):
                await api.approve_tool_calls(thread.id, [second])
            assert (await api.select_branch(thread.id, answer)).status == "completed"
            (part,) = await tool_parts(api, thread)
            assert part["output"] == "paid bob"
            await follower.agrees()
            other = next(b for b in (await api.list_messages(thread.id))[1].branches if b != answer)
            assert (await api.select_branch(thread.id, other)).status == "stopped"
            await api.resume_thread(thread.id)  # the model gets "stopped" as the outcome of the call
            await finished(api, thread)
            assert (await texts(api, thread)) == ["a", "Done."]
            await follower.agrees()
        assert question in await ids(api, thread)
