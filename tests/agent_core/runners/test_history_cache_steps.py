"""History cache within a turn: with and without it the model is sent the same messages."""

from __future__ import annotations

from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, action_tool, define_agent_api
from agent_core.runners.history import History
from agent_core.runners.history_cache import HistoryCache, OpenTurn
from agent_core.testing import ScriptedModel, ToolUse, eventually


@action_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@action_tool(needs_approval=True)
async def send(to: str) -> str:
    """Send something."""
    return f"sent to {to}"


@action_tool
async def fail() -> str:
    """Fail."""
    raise RuntimeError("out of paper")


def script() -> ScriptedModel:
    return ScriptedModel(
        [
            ["first ", ToolUse("add", {"a": 1, "b": 2}, id="c1"), ToolUse("fail", {}, id="c2")],
            [ToolUse("send", {"to": "eve"}, id="c1"), ToolUse("nobody", {"x": 1}, id="c4")],
            ["done"],
            ["again ", ToolUse("add", {"a": 3, "b": 4}, id="c5")],
            ["over"],
        ]
    )


async def waiting_call(api: AgentApi, thread_id: str) -> str:
    async def find() -> str | None:
        for message in await api.list_messages(thread_id):
            for part in message.parts:
                if part.get("state") == "approval-requested":
                    return part["toolCallId"]
        return None

    found = await eventually(find)
    assert found is not None
    return found


async def run() -> tuple[list[Any], set[str]]:
    """Run the script, approve with edited arguments, and return the requests and the new ids."""
    model = script()
    async with Runtime("sqlite://") as runtime:
        api = define_agent_api(runtime, Agent("a", model, system="Be brief.", tools=[add, send, fail]))
        thread = await api.create_thread("go")
        call_id = await waiting_call(api, thread.id)
        assert call_id != "c1", "an id that the thread has used before is replaced"
        await api.approve_tool_calls(thread.id, [call_id], args={call_id: {"to": "bob"}})
        await api.wait_until_idle(thread.id, 20)
        await api.send_message(thread.id, "more")
        await api.wait_until_idle(thread.id, 20)
    return model.requests, {call_id}


def without(requests: list[Any], fresh: set[str]) -> str:
    text = repr(requests)
    for call_id in fresh:
        text = text.replace(call_id, "FRESH")
    return text


async def test_the_model_is_asked_the_same_with_and_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    hits: list[bool] = []
    resume = HistoryCache.for_step

    def counted(self: HistoryCache, thread_id: str, seq: int) -> Any:
        found = resume(self, thread_id, seq)
        hits.append(found is not None)
        return found

    monkeypatch.setattr(HistoryCache, "for_step", counted)
    remembered = without(*await run())
    assert hits == [False, True, True, False, True], (
        "each step after tools that ended here starts from memory"
    )
    monkeypatch.setattr(HistoryCache, "for_step", lambda *_: None)
    assert without(*await run()) == remembered
    assert "bob" in remembered
    assert "eve" not in remembered, "the edited arguments are what the model is told"


def test_memory_is_used_only_for_the_very_next_fence_and_only_when_whole() -> None:
    def turns(open_ids: set[str]) -> HistoryCache:
        kept = HistoryCache()
        kept.put("t", OpenTurn(seq=3, history=History([]), parts=[], open=open_ids))
        return kept

    assert turns(set()).for_step("t", 4) is not None
    assert turns(set()).for_step("t", 5) is None, "somebody else had the thread in between"
    assert turns({"c"}).for_step("t", 4) is None, "an outcome came from elsewhere"
    assert turns(set()).for_step("other", 4) is None
    kept = turns({"c"})
    kept.add_outcome("t", "c", {"state": "output-available", "output": 1})
    assert kept.for_step("t", 4) is not None
    assert kept.for_step("t", 4) is None, "it is used once"
