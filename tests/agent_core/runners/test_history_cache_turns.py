"""History cache between turns: a turn starts from the cache, or from the rows if the cache may be stale."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, action_tool, define_internal_agent_api
from agent_core.context.provider_messages import to_provider
from agent_core.domain.messages import Update
from agent_core.runners.history import History
from agent_core.runners.history_cache import EndedTurn, HistoryCache, OpenTurn
from agent_core.runners.model_runner import ModelRunner
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.support.databases import prepared


@pytest.fixture
def hits(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Record each hit and miss of the cache, and compare every history with the rows."""
    seen: list[bool] = []
    followed_by, history = EndedTurn.followed_by, ModelRunner._history  # pyright: ignore[reportPrivateUsage]

    def counted(self: EndedTurn, updates: Sequence[Update] | None) -> Any:
        found = followed_by(self, updates)
        seen.append(found is not None)
        return found

    async def checked(self: ModelRunner, claim: Any, agent: Any) -> Any:
        found = await history(self, claim, agent)
        stored, calls = await asyncio.to_thread(self._reads.history, claim.thread_id)  # pyright: ignore[reportPrivateUsage]
        assert found.messages == to_provider(stored, agent.system)
        assert found.call_ids == calls
        return found

    monkeypatch.setattr(EndedTurn, "followed_by", counted)
    monkeypatch.setattr(ModelRunner, "_history", checked)
    return seen


@action_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    """Call the tool for a sum, hang for "wait", else answer."""
    last = messages[-1]
    if last["role"] == "user" and "sum" in last["content"]:
        return ["Let me see. ", ToolUse("add", {"a": 1, "b": len(messages)}), ToolUse("nobody", {})]
    return ["Wait", 3600.0] if "wait" in str(last["content"]) else [f"Answer {len(messages)}."]


def api_on(runtime: Runtime, **options: Any) -> AgentApi:
    agent = Agent("a", ScriptedModel(answer), system="Be brief.", tools=[add], **options)
    return define_internal_agent_api(runtime, agent)


async def say(api: AgentApi, thread_id: str, words: str) -> None:
    await api.send_message(thread_id, words)
    thread = await api.wait_until_idle(thread_id, 20)
    assert thread.status == "completed", thread.error


async def test_each_turn_begins_from_memory(hits: list[bool]):
    async with Runtime("sqlite://") as runtime:
        api = api_on(runtime)
        thread = await api.create_thread("sum, please")
        await api.wait_until_idle(thread.id, 20)
        for words in ("more", "a sum again", "and more"):
            await say(api, thread.id, words)
        assert hits == [True] * 3
        await api.update_thread(thread.id, title="Sums")
        await api.add_message(thread.id, {"role": "user", "parts": [{"type": "text", "text": "By the way."}]})
        await say(api, thread.id, "and then?")
        assert hits == [True] * 4


async def test_queued_message_is_in_the_history_once(hits: list[bool]):
    async with Runtime("sqlite://") as runtime:
        api = api_on(runtime)
        thread = await api.create_thread("hello")
        await api.wait_until_idle(thread.id, 20)
        await asyncio.gather(
            *(api.send_message(thread.id, f"sum {n}", when_busy="queue") for n in range(4)),
        )
        assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
        assert hits
        assert all(hits)
        assert [m.text for m in await api.list_messages(thread.id) if m.role == "user"][1:] == [
            f"sum {n}" for n in range(4)
        ]


@pytest.mark.parametrize("what", ["edit", "regenerate", "select", "assistant", "stop", "elsewhere"])
async def test_history_of_any_other_turn_is_read_from_the_rows(what: str, hits: list[bool], tmp_path: Path):
    url = prepared(tmp_path / "agents.db")
    async with Runtime(url) as runtime, Runtime(url) as other_runtime:
        api, other = api_on(runtime), api_on(other_runtime)
        thread = await api.create_thread("hello")
        await api.wait_until_idle(thread.id, 20)
        await say(api, thread.id, "a sum")
        shown = await api.list_messages(thread.id)
        if what == "edit":
            await other.edit_message(thread.id, shown[2].id, "no sum")
        elif what == "regenerate":
            await other.regenerate(thread.id, shown[3].id)
        elif what == "select":
            await other.edit_message(thread.id, shown[2].id, "no sum")
            await other.wait_until_idle(thread.id, 20)
            await other.select_branch(thread.id, shown[2].id)
        elif what == "assistant":
            said = {"role": "assistant", "parts": [{"type": "text", "text": "I said so."}]}
            await other.add_message(thread.id, said)
        elif what == "stop":
            await api.send_message(thread.id, "wait")
            await eventually(lambda: _text_is_there(api, thread.id))
            await api.stop_thread(thread.id)
        else:
            await say(other, thread.id, "a sum, elsewhere")
        await api.wait_until_idle(thread.id, 20)
        for words in ("and now?", "a sum", "and then?"):
            await say(api, thread.id, words)


async def _text_is_there(api: AgentApi, thread_id: str) -> bool:
    return "Wait" in str(await api.stream_updates(thread_id))


async def test_another_system_prompt_is_another_history(hits: list[bool]):
    prompts = iter(["One.", "Two.", "Two."])
    async with Runtime("sqlite://") as runtime:
        model = ScriptedModel(answer)
        factory = Agent.factory(lambda _ctx, _id: Agent("a", model, system=next(prompts)), name="a")
        api = define_internal_agent_api(runtime, factory)
        thread = await api.create_thread("hello")
        await api.wait_until_idle(thread.id, 20)
        for words in ("and?", "so?"):
            await say(api, thread.id, words)
    assert [request[0]["content"] for request in model.requests] == ["One.", "Two.", "Two."]
    assert hits == [True]


def test_a_past_is_used_once_and_only_for_the_very_next_fence():
    known = HistoryCache()
    known.put("t", EndedTurn(1, 1, None, History([])))
    assert known.for_step("t", 2) is None, "no turn runs"
    assert known.ended_turn("t", 2, None) is not None
    assert known.ended_turn("t", 2, None) is None, "it is used once"
    known.put("t", EndedTurn(1, 1, None, History([])))
    assert known.ended_turn("t", 3, None) is None, "somebody else had the thread in between"
    known.put("t", EndedTurn(1, 1, None, History([])))
    assert known.ended_turn("t", 2, "Be brief.") is None


@pytest.mark.parametrize("value", [EndedTurn(1, 1, None, History([])), OpenTurn(1, History([]), [], set())])
def test_memory_is_bounded_by_what_it_holds(value: EndedTurn | OpenTurn):
    known = HistoryCache()
    for name in "abcd":
        value = replace(value, history=History.of([{"role": "user", "content": "x" * (12 << 20)}]))
        known.put(name, value)
        known.put(name, value)
    assert [known.turns.get(name) is not None for name in "abcd"] == [False, False, True, True]


def test_the_outcomes_of_a_turn_count():
    known = HistoryCache()
    known.put("waits", OpenTurn(1, History([]), [{"toolCallId": "c"}], {"c"}))
    known.add_outcome("waits", "c", {"output": "x" * (33 << 20)})
    known.put("new", EndedTurn(1, 1, None, History([])))
    assert known.turns.get("waits") is None
