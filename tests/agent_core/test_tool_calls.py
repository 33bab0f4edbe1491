"""Tool calls on their way to exactly one outcome, whatever the tool, the model or a person does."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from agent_core import RetryPolicy, ToolContext, errors
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool, async_tool, create_async_tool
from tests.agent_core.support import AT_ONCE, Follower, agent_on, finished, rows, texts, tool_parts


@action_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@action_tool
async def fail() -> None:
    """Fail."""
    raise OSError("The disk is full.")


@async_tool
async def ask(question: str) -> None:
    """Ask a person."""


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def outcomes(model: ScriptedModel) -> list[str]:
    """Return the outcomes that the newest request holds."""
    return [message["content"] for message in model.requests[-1] if message["role"] == "tool"]


async def waiting(api: Any, thread_id: str, count: int = 1) -> list[str]:
    """Wait until so many calls wait for a person; return their ids."""

    async def found() -> list[str] | None:
        parts = await tool_parts(api, thread_id)
        ids = [p["toolCallId"] for p in parts if p["state"] in ("approval-requested", "input-available")]
        status = (await api.get_thread(thread_id)).status
        free = not api.runtime.workpool.busy and not api.runtime.tool_workpool.busy
        return ids if status == "awaiting_tool_results" and len(ids) == count and free else None

    return await eventually(found)  # type: ignore[return-value]


async def test_a_call_runs_and_the_model_goes_on(path: Path) -> None:
    model = ScriptedModel([["Let me see. ", ToolUse("add", {"a": 1, "b": 2})], ["It is 3."]])
    async with agent_on(path, model, tools=[add]) as api:
        thread = await api.create_thread("1 + 2?")
        async with Follower(api, thread.id) as follower:
            await finished(api, thread)
            (part,) = await tool_parts(api, thread)
            assert part["type"] == "tool-add"
            assert (part["state"], part["input"], part["output"]) == (
                "output-available",
                {"a": 1, "b": 2},
                3,
            )
            await follower.agrees()
        assert await texts(api, thread) == ["1 + 2?", "Let me see. \n\nIt is 3."]
        assert outcomes(model) == ["3"]


BAD = {
    "unknown tool": (ToolUse("nothing", {}), "There is no tool 'nothing'; the tools are: add, fail"),
    "not JSON": (ToolUse("add", "{a: 1"), "not JSON"),
    "no object": (ToolUse("add", "[1]"), ""),
    "missing": (ToolUse("add", {"a": 1}), "b"),
    "wrong type": (ToolUse("add", {"a": "x", "b": 1}), "a"),
    "not asked for": (ToolUse("add", {"a": 1, "b": 1, "c": 1}), "c"),
    "raises": (ToolUse("fail"), "The disk is full."),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_cannot_be_run_is_that_calls_outcome(path: Path, case: str) -> None:
    use, words = BAD[case]
    model = ScriptedModel([[use, ToolUse("add", {"a": 1, "b": 2})], ["Well."]])
    async with agent_on(path, model, tools=[add, fail]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            assert (await finished(api, thread)).status == "completed"
            bad, good = await tool_parts(api, thread)
            assert bad["state"] == "output-error"
            assert words in bad["errorText"]
            assert good["output"] == 3
            await follower.agrees()
        assert outcomes(model)[0].startswith("Error")


@pytest.mark.parametrize("case", ["too long", "not JSON", "exit", "cancelled", "surrogate"])
async def test_a_handler_may_do_what_it_likes(path: Path, case: str) -> None:
    @action_tool(retry=True)
    async def odd() -> Any:
        """Be odd."""
        results: dict[str, Any] = {"too long": "x" * (1 << 20), "not JSON": {1, object()}}
        if case in results:
            return results[case]
        if case == "surrogate":
            raise errors.ValidationError("bad \udcff\0")
        raise {"exit": SystemExit, "cancelled": asyncio.CancelledError, "generator exit": GeneratorExit}[
            case
        ](3)

    policy = RetryPolicy(max_attempts=2, initial_delay=0, jitter=0)
    tool = action_tool(retry=policy, name="odd")(odd.handler)
    async with agent_on(path, [[ToolUse("odd")], ["Well."]], tools=[tool]) as api:
        thread = await api.create_thread("Go")
        assert (await finished(api, thread)).status == "completed"
        (part,) = await tool_parts(api, thread)
        assert part["state"] == "output-error", part
        assert part["errorText"].isprintable()


async def test_a_failing_tool_is_tried_again(path: Path) -> None:
    tried: list[tuple[int, str]] = []

    @action_tool(retry=AT_ONCE)
    def flaky(ctx: ToolContext) -> str:
        """Fail twice."""
        tried.append((ctx.attempt, ctx.idempotency_key))
        if ctx.attempt < 3:
            raise OSError("Not now.")
        return "done"

    async with agent_on(path, [[ToolUse("flaky", id="c1")], ["Well."]], tools=[flaky]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await finished(api, thread)
            await follower.agrees()
        assert tried == [(n, f"{thread.id}:c1") for n in (1, 2, 3)]
        assert (await tool_parts(api, thread))[0]["output"] == "done"


async def test_after_the_last_attempt_its_words_are_the_outcome(path: Path) -> None:
    @action_tool(retry=RetryPolicy(max_attempts=2, initial_delay=0))
    async def never() -> None:
        """Never work."""
        raise OSError("Still not.")

    async with agent_on(path, [[ToolUse("never")], ["Well."]], tools=[never]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert (await tool_parts(api, thread))[0]["errorText"] == "Still not."


async def test_progress_is_shown_live(path: Path) -> None:
    seen = asyncio.Event()

    @action_tool
    async def slow(ctx: ToolContext) -> str:
        """Report."""
        await ctx.report({"percent": 50})
        await seen.wait()
        return "done"

    async with agent_on(path, [[ToolUse("slow", id="c1")], ["Well."]], tools=[slow]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.progress.get("c1") == {"percent": 50})
            seen.set()
            await finished(api, thread)
            await follower.agrees()
            assert not follower.view.progress


async def test_many_calls_of_one_step_run_at_once(path: Path) -> None:
    barrier = threading.Barrier(8)

    @action_tool
    def together(n: int) -> int:
        """Wait for the others."""
        barrier.wait(5)
        return n

    uses = [ToolUse("together", {"n": n}) for n in range(8)]
    async with agent_on(path, [uses, ["Well."]], tools=[together]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert [part["output"] for part in await tool_parts(api, thread)] == list(range(8))


async def test_the_same_id_twice_and_again_in_a_later_step(path: Path) -> None:
    twice = [ToolUse("add", {"a": n, "b": 0}, id="same") for n in (1, 2)]
    async with agent_on(
        path, [twice, [ToolUse("add", {"a": 3, "b": 0}, id="same")], ["Well."]], tools=[add]
    ) as api:
        thread = await finished(api, await api.create_thread("Go"))
        parts = await tool_parts(api, thread)
        assert [part["output"] for part in parts] == [1, 2, 3]
        assert len({part["toolCallId"] for part in parts}) == 3


# outcomes from outside


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
        await finished(api, thread, 5)
        assert (await tool_parts(api, thread))[0]["state"] == "output-error"
        with pytest.raises(errors.ToolCallFinishedError):
            await api.add_tool_result("c1", 1)
    assert not rows(path)["agent_wake_up"]


async def test_an_action_tool_times_out(path: Path) -> None:
    @action_tool(timeout=0.05)
    async def slow() -> None:
        """Take long."""
        await asyncio.sleep(30)

    async with agent_on(path, [[ToolUse("slow")], ["Well."]], tools=[slow]) as api:
        thread = await finished(api, await api.create_thread("Go"), 5)
        assert "0.05 s" in (await tool_parts(api, thread))[0]["errorText"]


async def test_the_outcome_may_come_before_the_callback_returns(path: Path) -> None:
    @async_tool
    async def instant(ctx: ToolContext) -> None:
        """Answer oneself."""
        await api.add_tool_result(ctx.tool_call_id, "now")

    async with agent_on(path, [[ToolUse("instant")], ["Well."]], tools=[instant]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert (await tool_parts(api, thread))[0]["output"] == "now"


# approvals


async def test_approved_it_runs_with_what_was_shown(path: Path) -> None:
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


async def test_an_approval_survives_a_restart(path: Path) -> None:
    turns = lambda m: ["Well."] if m[-1]["role"] == "tool" else [ToolUse("pay", {"amount": 5}, id="c")]  # noqa: E731
    async with agent_on(path, turns, tools=[pay]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)
    async with agent_on(path, turns, tools=[pay]) as api:
        assert (await api.get_thread(thread.id)).status == "awaiting_tool_results"  # type: ignore[union-attr]
        await api.approve_tool_calls(thread.id, ["c"])
        await finished(api, thread)
        assert (await tool_parts(api, thread))[0]["output"] == "paid 5"


async def test_stopped_while_it_waits_for_a_person(path: Path) -> None:
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
