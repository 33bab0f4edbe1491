"""Stored codes and params of errors, beside the error's text, live and after a reload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent_core import Agent, Runtime, define_agent_api, errors
from agent_core.streaming.fold import ThreadView
from agent_core.support.retry import RetryPolicy
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import action_tool
from tests.support.agents import agent_on, finished
from tests.support.databases import prepared

LIMIT = {"code": "step_limit_reached", "params": {"count": 1, "agent": "one"}}


async def view_of(api: Any, thread_id: str, cursor: int | None = 0) -> ThreadView:
    """Follow a thread from a cursor until it is idle, and return its view."""
    view = ThreadView()
    async for update in api.subscribe(thread_id, cursor):
        view.apply(update)
        if view.thread.get("status") in ("completed", "failed", "stopped"):
            return view
    raise AssertionError("the stream ended")


@action_tool
async def look() -> str:
    """Look."""
    return "seen"


async def test_a_turn_that_reached_its_limit_says_so_by_code(path: Path) -> None:
    model = ScriptedModel([[ToolUse("look", {})], ["Done."], ["Again."]])
    agent = Agent(name="one", model=model, tools={"look": look}, max_steps=1)
    async with Runtime(database_url=prepared(path)) as runtime:
        api = define_agent_api(runtime, agent)
        thread = await finished(api, await api.create_thread("go"))
        assert (
            thread.error == "The turn took 1 model steps, the most that 'one' allows. Resume the thread to "
            "let it go on."
        )
        assert thread.error_info == LIMIT
        view = await view_of(api, thread.id)
        assert view.thread["error_info"] == LIMIT
        assert [span.error_info for span in await api.timeline(thread.id) if span.error] == [LIMIT]
        await api.resume_thread(thread.id)
        thread = await finished(api, thread.id)
        assert (thread.status, thread.error, thread.error_info) == ("completed", None, None)
        assert (await view_of(api, thread.id)).thread["error_info"] is None


async def test_a_providers_words_have_no_code(path: Path) -> None:
    async with agent_on(path, [["Half", errors.ModelError("Overloaded.", kind="auth")]]) as api:
        thread = await finished(api, await api.create_thread("go"))
        assert (thread.error, thread.error_info) == ("Overloaded.", None)


async def test_a_code_counts_only_beside_its_own_text(path: Path) -> None:
    """A version before 0014 that runs beside this one writes only the text."""
    async with agent_on(path, [[ToolUse("nothing", {})], [errors.ModelError("No.", kind="auth")]]) as api:
        thread = await finished(api, await api.create_thread("go"))
        info = json.dumps({"text": "Another.", "code": "thread_busy", "params": {}})
        write = f"update agent_thread set error_info = '{info}'"
        await api.store.writer.run(lambda tx: tx.cursor.execute(write))
        found = await api.get_thread(thread.id)
        assert found is not None
        assert (found.error, found.error_info) == ("No.", None)


async def test_the_error_of_a_call_has_its_code_live_and_after_a_reload(path: Path) -> None:
    turns = [[ToolUse("nothing", {}, id="c1"), ToolUse("look", {"far": 1}, id="c2")], ["Done."]]
    async with agent_on(path, turns, tools=[look]) as api:
        thread = await finished(api, await api.create_thread("go"))
        message = (await api.list_messages(thread.id))[-1]
        assert message.error_info == {
            "c1": {"code": "tool_not_found", "params": {"tool": "nothing", "tools": "look"}},
            "c2": {
                "code": "tool_arguments_invalid",
                "params": {"tool": "look", "problem": "there is no argument far", "takes": "no arguments"},
            },
        }
        view = await view_of(api, thread.id)
        assert view.messages[-1]["error_info"] == message.error_info
        assert all("errorInfo" not in part for part in message.parts)


async def test_the_attempts_of_a_tool_have_their_codes(path: Path) -> None:
    @action_tool(retry=RetryPolicy(max_attempts=2, initial_delay=0))
    def leave() -> str:
        """Leave."""
        raise SystemExit(3)

    async with agent_on(path, [[ToolUse("leave", {}, id="c1")], ["Done."]], tools=[leave]) as api:
        thread = await finished(api, await api.create_thread("go"))
        info = {"code": "tool_raised", "params": {"tool": "leave", "error": "SystemExit(3)"}}
        spans = [span for span in await api.timeline(thread.id) if span.kind == "tool"]
        assert [(span.status, span.error_info) for span in spans] == [("retried", info), ("failed", info)]


async def test_secrets_stay_out_of_the_column(path: Path) -> None:
    @action_tool
    def leave() -> str:
        """Leave."""
        raise SystemExit("token=sk-abcdefghijklmnop1234567890")

    async with agent_on(path, [[ToolUse("leave", {}, id="c1")], ["Done."]], tools=[leave]) as api:
        thread = await finished(api, await api.create_thread("go"))
        message = (await api.list_messages(thread.id))[-1]
        assert "[hidden]" in json.dumps(message.error_info)
        assert "sk-abc" not in json.dumps(message.to_dict())
