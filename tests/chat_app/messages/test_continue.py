"""Test Continue: after a stop, and after an answer that ended early, with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from agent_core.testing import Finish, ToolUse
from agent_core.tools import action_tool
from tests.chat_app.support import Serve, Tab


@action_tool
async def look() -> str:
    """Look."""
    return "seen"


@pytest.mark.parametrize("reason", ["length", "content-filter", "model-context-window-exceeded"])
async def test_an_answer_that_was_cut_says_why_and_goes_on(serve: Serve, tab: Tab, reason: str) -> None:
    async with serve([["Once upon ", Finish(reason)], ["a time."]]) as shared:
        await tab.thread.send("Tell me", "msg_1", [])
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert (tab.thread.incomplete_reason, tab.thread.turn[-1].parts[-1].text) == (reason, "Once upon ")
        assert tab.thread.answer_id == tab.thread.turn[-1].id
        await tab.thread.continue_answer("  ")
        assert len(await shared.api.list_messages(tab.thread.open_id)) == 2
        await tab.thread.continue_answer("Please continue.")
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        found = await shared.api.list_messages(tab.thread.open_id)
        assert [m.text for m in found] == ["Tell me", "Once upon ", "Please continue.", "a time."]
        assert tab.thread.incomplete_reason == ""
        await tab.thread.continue_answer("Please continue.")
        assert len(await shared.api.list_messages(tab.thread.open_id)) == 4, "a whole answer stays as it is"


async def test_the_reason_of_an_early_end_is_not_sent_to_the_model(serve: Serve, tab: Tab) -> None:
    sent: list[Any] = []

    def say(messages: list[dict[str, Any]]) -> list[Any]:
        sent.append(messages)
        return ["Once upon ", Finish("length")]

    async with serve(say) as shared:
        await tab.thread.send("Tell me", "msg_1", [])
        await tab.read(shared, lambda: tab.thread.incomplete_reason == "length")
        await tab.thread.continue_answer("More")
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        assert [m["content"] for m in sent[-1] if m["role"] != "system"] == ["Tell me", "Once upon ", "More"]


async def test_continue_at_the_step_limit_goes_on_in_the_same_answer(serve: Serve, tab: Tab) -> None:
    turns = [[ToolUse("look", {})] for _ in range(2)] + [["Done."]]
    async with serve(turns, {"look": look}) as shared:
        agent: Any = shared.api.agent
        agent.max_steps = 2
        await tab.thread.send("Look", "msg_1", [])
        await tab.read(shared, lambda: tab.thread.status == "failed")
        assert tab.thread.incomplete_reason == "StepLimitError"
        await tab.thread.resume()
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert (tab.thread.incomplete_reason, tab.thread.turn[-1].parts[-1].text) == ("", "Done.")
        assert len(await shared.api.list_messages(tab.thread.open_id)) == 2


async def test_an_answer_cut_after_a_tool_call_continues_to_its_end(serve: Serve, tab: Tab) -> None:
    async with serve([[ToolUse("look", {}), Finish("length")], ["Done."]], {"look": look}) as shared:
        await tab.thread.send("Look", "msg_1", [])
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert tab.thread.incomplete_reason == ""


async def test_a_stopped_answer_can_be_asked_for_again(serve: Serve, tab: Tab) -> None:
    async with serve([["Half a ", 60.0], ["Another."]]) as shared:
        await tab.thread.send("Hi", "msg_1", [])
        await tab.read(shared, lambda: tab.follower.next_slice() is not None)
        await tab.thread.stop()
        await tab.read(shared, lambda: tab.thread.status == "stopped")
        assert (tab.thread.incomplete_reason, bool(tab.thread.answer_id)) == ("", True)
        await tab.thread._do("regenerate", tab.thread.answer_id)
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert tab.thread.turn[-1].parts[-1].text == "Another."
        assert tab.thread.turn[-1].count == 2, "the half answer is kept beside"
