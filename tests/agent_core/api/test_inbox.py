"""Inbox: open approvals and questions of all threads, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_core import CallContext, action_tool, async_tool
from agent_core.errors import ValidationError
from agent_core.testing import ToolUse, eventually
from tests.support.agents import agent_on


@action_tool(needs_approval=True)
async def pay(euros: int) -> str:
    """Pay."""
    return f"{euros} €"


@async_tool
async def ask() -> None:
    """Ask."""


async def test_inbox_lists_open_approvals_and_questions_until_they_are_decided(path: Path) -> None:
    def turn(messages: list[dict]) -> list:
        if messages[-1]["role"] != "user":
            return ["Done."]
        return (
            [ToolUse("pay", {"euros": 5}, "p")]
            if messages[-1]["content"] == "pay"
            else [ToolUse("ask", {}, "q")]
        )

    async with agent_on(path, turn, tools=[pay, ask]) as api:
        paying = await api.create_thread("pay", ctx=CallContext("ann"))
        asking = await api.create_thread("ask", ctx=CallContext("bob"))

        async def both() -> bool:
            return len(await api.list_waiting()) == 2

        await eventually(both)
        by_thread = {call.thread_id: call for call in await api.list_waiting()}
        approval, question = by_thread[paying.id], by_thread[asking.id]
        assert (approval.kind, approval.name, approval.input, approval.title) == (
            "approval",
            "pay",
            {"euros": 5},
            "pay",
        )
        assert (question.kind, question.tool_call_id) == ("outcome", "q")
        assert [call.thread_id for call in await api.list_waiting(ctx=CallContext("ann"))] == [paying.id]
        assert await api.list_waiting(user_id="bob", ctx=CallContext("ann")) == []
        assert len(await api.list_waiting(1)) == 1
        with pytest.raises(ValidationError):
            await api.list_waiting(0)

        await api.approve_tool_calls(paying.id, ["p"])
        await api.stop_thread(asking.id)
        await api.wait_until_idle(paying.id, 20)
        assert await api.list_waiting() == []
