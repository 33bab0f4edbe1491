"""The contract of tools, approvals and outcomes from outside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from agent_core import (
    AgentApi,
    RetryPolicy,
    Thread,
    ToolContext,
    action_tool,
    async_tool,
    create_action_tool,
    create_async_tool,
    errors,
)
from agent_core.testing import ToolUse
from tests.agent_core.contract.support import Contract, shown_text


class Place(BaseModel):
    """Where."""

    location: str


async def tool_parts(api: AgentApi, thread: Thread) -> list[dict[str, Any]]:
    """Return the tool parts of a thread."""
    messages = await api.list_messages(thread.id)
    return [part for message in messages for part in message.parts if part["type"].startswith("tool-")]


async def ran(api: AgentApi, prompt: str = "Go") -> Thread:
    """Create a thread and return it once it is idle."""
    thread = await api.create_thread(prompt)
    return await api.wait_until_idle(thread.id, 20)


async def test_decorated_and_created_tools_both_run(contract: Contract) -> None:
    @action_tool(retry=True, timeout=30.0)
    async def described(location: str, ctx: ToolContext) -> dict[str, Any]:
        """Say where."""
        return {"at": location, "attempt": ctx.attempt, "who": ctx.user_id, "key": bool(ctx.idempotency_key)}

    def handler(args: Place) -> str:
        return args.location.upper()

    made = create_action_tool(description="Shout.", args=Place, handler=handler, name="made")
    turn = [ToolUse(name, {"location": "Rome"}) for name in ("described", "made")]
    async with contract.api([turn, ["Done."]], tools={"described": described, "made": made}) as api:
        thread = await ran(api)
        assert thread.status == "completed"
        outputs = [part["output"] for part in await tool_parts(api, thread)]
        assert outputs == [{"at": "Rome", "attempt": 1, "who": None, "key": True}, "ROME"]
        roles = [message["role"] for message in contract.model.requests[-1]]
        assert roles == ["user", "assistant", "tool", "tool"]


async def test_failures_of_every_kind_are_outcomes(contract: Contract) -> None:
    @action_tool
    async def needs(n: int) -> int:
        """Take a number."""
        return n

    @action_tool
    async def raises() -> None:
        """Raise."""
        raise KeyError("no such key")

    @action_tool
    async def unserialisable() -> object:
        """Return what is no JSON."""
        return object()

    @action_tool
    async def endless() -> str:
        """Return far too much."""
        return "x" * (5 << 20)

    @action_tool(timeout=0.05)
    async def never() -> None:
        """Never return."""
        await asyncio.sleep(60)

    uses = [
        ToolUse("needs", {"n": "many"}),
        ToolUse("needs", "{not json"),
        ToolUse("unknown", {}),
        *(ToolUse(name, {}) for name in ("raises", "unserialisable", "endless", "never")),
    ]
    async with contract.api([uses, ["Well."]], tools=[needs, raises, unserialisable, endless, never]) as api:
        thread = await ran(api)
        assert thread.status == "completed"
        parts = await tool_parts(api, thread)
        assert [part["state"] for part in parts] == ["output-error"] * len(uses)
        assert all(part["errorText"] for part in parts)


async def test_a_tool_is_tried_again_with_the_same_key(contract: Contract) -> None:
    seen: list[tuple[int, str]] = []

    @action_tool(retry=RetryPolicy(max_attempts=3, backoff="fixed", initial_delay=0.01, jitter=0))
    async def flaky(ctx: ToolContext) -> str:
        """Fail twice."""
        seen.append((ctx.attempt, ctx.idempotency_key))
        if ctx.attempt < 3:
            raise ConnectionError("not yet")
        return "done"

    async with contract.api([[ToolUse("flaky", {})], ["Done."]], tools=[flaky]) as api:
        thread = await ran(api)
        (part,) = await tool_parts(api, thread)
        assert part["output"] == "done"
    assert [attempt for attempt, _ in seen] == [1, 2, 3]
    assert len({key for _, key in seen}) == 1


async def test_should_retry_has_the_last_word(contract: Contract) -> None:
    calls: list[int] = []

    def transient(error: BaseException) -> bool:
        return isinstance(error, ConnectionError)

    @action_tool(retry=RetryPolicy(max_attempts=5, initial_delay=0, should_retry=transient))
    async def broken(ctx: ToolContext) -> str:
        """Fail for good."""
        calls.append(ctx.attempt)
        raise ValueError("for good")

    async with contract.api([[ToolUse("broken", {})], ["Well."]], tools=[broken]) as api:
        await ran(api)
    assert calls == [1]


async def test_progress_is_shown_live(contract: Contract) -> None:
    shown: list[Any] = []
    go_on = asyncio.Event()

    @action_tool
    async def slow(ctx: ToolContext) -> str:
        """Report."""
        await ctx.report({"done": 1})
        await go_on.wait()
        return "all"

    async with contract.api([[ToolUse("slow", {})], ["Done."]], tools=[slow]) as api:
        thread = await api.create_thread("Go")
        async for update in api.subscribe(thread.id):
            shown += [chunk["data"] for chunk in update.chunks if chunk["type"] == "data-tool-progress"]
            if shown:
                break
        go_on.set()
        await api.wait_until_idle(thread.id, 20)
    assert shown == [{"done": 1}]


async def test_an_outcome_comes_later_and_only_once(contract: Contract) -> None:
    asked: list[str] = []

    @async_tool
    async def ask_person(question: str, ctx: ToolContext) -> None:
        """Ask a person."""
        asked.append(ctx.tool_call_id)

    async with contract.api(
        [[ToolUse("ask_person", {"question": "Why?"})], ["I see."]], tools=[ask_person]
    ) as api:
        thread = await api.create_thread("Go")
        await contract.status(api, thread.id, "awaiting_tool_results")
        (part,) = await tool_parts(api, thread)
        await api.add_tool_result(part["toolCallId"], {"answer": "Because."})
        with pytest.raises(errors.ToolCallFinishedError):
            await api.add_tool_error(part["toolCallId"], "Too late.")
        await api.wait_until_idle(thread.id, 20)
        (part,) = await tool_parts(api, thread)
        assert part["output"] == {"answer": "Because."}
        with pytest.raises(errors.ToolCallNotFoundError):
            await api.add_tool_result("nobody", 1)


async def test_an_id_in_two_threads_needs_the_thread(contract: Contract) -> None:
    later = create_async_tool(description="Later.", args=Place, callback=lambda location: None, name="later")
    use = [ToolUse("later", {"location": "Rome"}, id="same")]
    async with contract.api([use, use, ["One."], ["Two."]], tools=[later]) as api:
        one, two = await api.create_thread("1"), await api.create_thread("2")
        for thread in (one, two):
            await contract.status(api, thread.id, "awaiting_tool_results")
        with pytest.raises(errors.AmbiguousToolCallError):
            await api.add_tool_result("same", 1)
        for thread in (one, two):
            await api.add_tool_result("same", 1, thread_id=thread.id)
            assert (await api.wait_until_idle(thread.id, 20)).status == "completed"


async def test_an_async_tool_gives_up_in_time(contract: Contract) -> None:
    later = create_async_tool(description="Later.", name="later", timeout=0.1)
    async with contract.api([[ToolUse("later", {})], ["Nobody came."]], tools=[later]) as api:
        thread = await ran(api)
        (part,) = await tool_parts(api, thread)
        assert part["state"] == "output-error"
        assert shown_text((await api.list_messages(thread.id))[-1]) == "Nobody came."


async def test_approvals_hold_for_the_arguments_shown(contract: Contract) -> None:
    paid: list[int] = []

    @action_tool(needs_approval=True)
    async def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return f"paid {amount}"

    uses = [ToolUse("pay", {"amount": n}, id=f"p{n}") for n in range(4)]
    async with contract.api([uses, ["Done."]], tools=[pay]) as api:
        thread = await api.create_thread("Go")
        await contract.status(api, thread.id, "awaiting_tool_results")
        assert {part["state"] for part in await tool_parts(api, thread)} == {"approval-requested"}
        with pytest.raises(errors.ValidationError):
            await api.approve_tool_calls(thread.id, ["p0"], args={"p0": {"amount": "lots"}})
        with pytest.raises(errors.AgentCoreError):
            await api.approve_tool_calls(thread.id, ["p0", "nobody"])  # approves all ids or none
        await api.deny_tool_calls(thread.id, ["p3"], "Too much.")
        await api.approve_tool_calls(thread.id, ["p0", "p1", "p2"], args={"p2": {"amount": 20}})
        with pytest.raises(errors.ToolCallFinishedError):
            await api.approve_tool_calls(thread.id, ["p0"])
        assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
        parts = {part["toolCallId"]: part for part in await tool_parts(api, thread)}
        assert sorted(paid) == [0, 1, 20]
        assert parts["p3"]["state"] == "output-denied"
        assert (parts["p2"]["input"], parts["p2"]["output"]) == ({"amount": 20}, "paid 20")
