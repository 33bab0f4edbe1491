"""The contract of agents, models, retries and hooks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_core import (
    Agent,
    CallContext,
    RetryPolicy,
    Runtime,
    Workpool,
    action_tool,
    define_agent_api,
    define_internal_agent_api,
    errors,
)
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from tests.agent_core.contract.support import Contract, shown_text


def broken(kind: Any = "provider_5xx", retryable: bool = True) -> errors.ModelError:
    """Return the error of an overloaded provider."""
    return errors.ModelError("Overloaded.", kind=kind, retryable=retryable)


@pytest.mark.parametrize("before", [[], ["Some words"]], ids=["before the first token", "after it"])
async def test_a_model_is_asked_again(contract: Contract, before: list[str]) -> None:
    waits: list[dict[str, Any]] = []

    def on_retry(thread_id: str, state: dict[str, Any]) -> None:
        waits.append(state)

    async with contract.api([[*before, broken()], ["Whole."]], on_retry=on_retry) as api:
        thread = await api.create_thread("Go")
        assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Go", "Whole."]
    assert len(contract.model.requests) == 2
    assert [(wait["attempt"], wait["max_attempts"]) for wait in waits] == [(2, 3)]


async def test_turn_fails_in_the_providers_words_after_the_last_attempt(contract: Contract) -> None:
    told: list[str] = []

    def on_error(thread_id: str, error: BaseException) -> None:
        told.append(str(error))

    async with contract.api([["Half", broken()]] * 3, on_error=on_error) as api:
        thread = await api.create_thread("Go")
        failed = await api.wait_until_idle(thread.id, 20)
        assert (failed.status, failed.error, failed.retry_state) == ("failed", "Overloaded.", None)
        assert shown_text((await api.list_messages(thread.id))[-1]) == "Half"
    assert len(contract.model.requests) == 3
    assert told == ["Overloaded."]


@pytest.mark.parametrize(
    "kind", ["context_window_exceeded", "auth", "insufficient_credits", "invalid_request"]
)
async def test_errors_that_cannot_pass_are_not_tried_again(contract: Contract, kind: str) -> None:
    async with contract.api([[broken(kind, False)], ["Never."]]) as api:
        thread = await api.create_thread("Go")
        assert (await api.wait_until_idle(thread.id, 20)).status == "failed"
    assert len(contract.model.requests) == 1


async def test_the_step_limit_ends_a_turn(contract: Contract) -> None:
    @action_tool
    async def again() -> str:
        """Go on."""
        return "on"

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return [ToolUse("again", {})]

    async with contract.api(turn, tools=[again], max_steps=3) as api:
        thread = await api.create_thread("Go")
        failed = await api.wait_until_idle(thread.id, 20)
        assert failed.status == "failed"
        assert "3" in (failed.error or "")
    assert len(contract.model.requests) == 3


async def test_hooks_are_told_and_may_fail(contract: Contract) -> None:
    told: list[Any] = []

    def on_message_complete(thread_id: str, message: Any, usage: Any) -> None:
        told.append(("message", shown_text(message)))
        raise RuntimeError("my own mistake")

    async def on_turn_complete(thread_id: str, message: Any) -> None:
        told.append(("turn", shown_text(message)))

    def on_status_change(thread_id: str, status: str, previous: str) -> None:
        told.append((previous, status))

    async with contract.api(
        [["Hello."]],
        on_message_complete=on_message_complete,
        on_turn_complete=on_turn_complete,
        on_status_change=on_status_change,
    ) as api:
        thread = await api.create_thread("Hi")
        await api.wait_until_idle(thread.id, 20)
        await eventually(lambda: len(told) >= 4)
    statuses = [told_of for told_of in told if told_of[0] not in ("message", "turn")]
    hooks = [told_of for told_of in told if told_of[0] in ("message", "turn")]
    assert repr(statuses) == "[('completed', 'streaming'), ('streaming', 'completed')]"
    assert hooks == [("message", "Hello."), ("turn", "Hello.")]


async def test_transformed_messages_are_sent_and_not_stored(contract: Contract) -> None:
    async def shorter(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**message, "content": message["content"][:2]} for message in messages]

    async with contract.api([["Ok."]], system="System", transform_messages=shorter) as api:
        thread = await api.create_thread("Hello")
        await api.wait_until_idle(thread.id, 20)
        assert shown_text((await api.list_messages(thread.id))[0]) == "Hello"
    assert contract.model.requests == [
        [{"role": "system", "content": "Sy"}, {"role": "user", "content": "He"}]
    ]


async def test_reasoning_is_a_part(contract: Contract) -> None:
    async with contract.api([[Reasoning("Hmm."), "Yes."]]) as api:
        thread = await api.create_thread("Go")
        await api.wait_until_idle(thread.id, 20)
        parts = (await api.list_messages(thread.id))[-1].parts
        assert [part["type"] for part in parts] == ["step-start", "reasoning", "text"]


async def test_a_factory_makes_the_agent_of_each_step(contract: Contract) -> None:
    made: list[tuple[str | None, str]] = []
    model = ScriptedModel([["Hello."]])

    def make(ctx: CallContext, thread_id: str) -> Agent:
        made.append((ctx.user_id, thread_id))
        return Agent("assistant", model, system=f"You serve {ctx.user_id}.")

    async with Runtime(contract.url, **contract.pools()) as runtime:
        api = define_agent_api(runtime, Agent.factory(make))
        thread = await api.create_thread("Hi", ctx=CallContext("anna"))
        await api.wait_until_idle(thread.id, 20)
    assert set(made) == {("anna", thread.id)}
    assert model.requests[0][0] == {"role": "system", "content": "You serve anna."}


async def test_system_messages_are_hidden_from_the_public(contract: Contract) -> None:
    async with Runtime(contract.url, **contract.pools()) as runtime:
        agent = Agent("assistant", ScriptedModel([]))
        public, internal = define_agent_api(runtime, agent), define_internal_agent_api(runtime, agent)
        thread = await internal.create_thread(messages=[{"role": "system", "content": "Secret."}])
        assert await public.list_messages(thread.id) == []
        assert len(await internal.list_messages(thread.id)) == 1


async def test_pools_limit_steps_and_tools_apart(contract: Contract) -> None:
    running = {"steps": 0, "tools": 0}
    most = {"steps": 0, "tools": 0}
    limits = {"steps": 2, "tools": 3}

    async def counted(what: str) -> None:
        running[what] += 1
        most[what] = max(most[what], running[what])
        await eventually(lambda: most[what] >= limits[what])  # until the pool is full
        await asyncio.sleep(0.02)
        running[what] -= 1

    @action_tool
    async def work() -> str:
        """Work."""
        await counted("tools")
        return "done"

    async def turn(messages: list[dict[str, Any]]) -> list[Any]:
        await counted("steps")
        asked = any(message["role"] == "tool" for message in messages)
        return ["Done."] if asked else [ToolUse("work", {}) for _ in range(5)]

    agent = Agent("assistant", ScriptedModel(turn), tools=[work])
    async with Runtime(contract.url, Workpool(max_parallelism=2), Workpool(max_parallelism=3)) as runtime:
        api = define_agent_api(runtime, agent)
        threads = [await api.create_thread("Go") for _ in range(6)]
        for thread in threads:
            assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
    assert most == limits


async def test_work_goes_on_where_another_runtime_left_it(contract: Contract) -> None:
    asked: list[int] = []

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        asked.append(len(messages))
        return ["Slow", 30.0] if len(asked) == 1 else ["Whole."]

    agent = Agent("assistant", ScriptedModel(turn), retry=RetryPolicy(max_attempts=1))
    async with Runtime(contract.url, **contract.pools()) as first:
        api = define_agent_api(first, agent)
        thread = await api.create_thread("Go")
        await contract.says(api, thread.id, "Slow")
    async with Runtime(contract.url, **contract.pools()) as second:
        api = define_agent_api(second, agent)
        assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Go", "Whole."]
