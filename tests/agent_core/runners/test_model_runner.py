"""Model steps: retried in one place, limited, sealed, and never half committed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, RetryPolicy, Runtime, define_agent_api, errors
from agent_core.domain.model_adapter import Usage
from agent_core.store.turns import streams
from agent_core.testing import FakeClock, Reasoning, ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import AT_ONCE, EAGER, Follower, agent_on, finished, rows, texts
from tests.support.databases import prepared

BUSY = errors.ModelError("Overloaded.", kind="provider_5xx", retryable=True)


@action_tool
async def ping() -> str:
    """Ping."""
    return "pong"


@pytest.mark.parametrize("said", [[], ["Hal"], [Reasoning("Hm"), "Hal"]])
async def test_a_failed_attempt_is_made_again(path: Path, said: list[Any]) -> None:
    """Nothing of a failed attempt is committed, whether it fails before or after its first output."""
    model = ScriptedModel([[*said, 0.05, BUSY], [*said, 0.05, BUSY], ["Hello"]])
    async with agent_on(path, model) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            done = await finished(api, thread)
            assert (done.status, done.error, done.retry_state) == ("completed", None, None)
            assert await texts(api, thread) == ["Hi", "Hello"]
            await follower.agrees()
        assert model.requests[0] == model.requests[1] == model.requests[2]


async def test_lost_text_is_looked_for_only_where_an_attempt_may_have_been_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement looks at every step of the turn, so a step that follows a commit leaves it out."""
    looked: list[int] = []
    replace = streams.replace_partial

    def noted(tx: Any, thread_id: str, seq: int) -> None:
        looked.append(seq)
        replace(tx, thread_id, seq)

    monkeypatch.setattr(streams, "replace_partial", noted)
    call = [ToolUse("ping", {})]
    said = [call, call, ["Hal", 0.05, BUSY], ["Lo", *call], call, ["Done."], call, ["Again."]]
    async with agent_on(path, said, tools=[ping]) as api:
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        await api.send_message(thread.id, "And now?")
        await finished(api, thread)
        assert await texts(api, thread) == ["Hi", "Lo\n\nDone.", "And now?", "Again."]
    assert set(looked) == {1, 4, 7}, "the first step of a turn, and the attempt after the lost one"


async def test_text_and_error_are_kept_after_the_last_attempt(path: Path) -> None:
    async with agent_on(path, [["Hal", BUSY], ["Hel", BUSY], ["Hello", BUSY]]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            failed = await finished(api, thread)
            assert (failed.status, failed.error, failed.error_kind) == (
                "failed",
                "Overloaded.",
                "provider_5xx",
            )
            assert await texts(api, thread) == ["Hi", "Hello"]
            await follower.agrees()
    assert not rows(path)["agent_wake_up"]


async def test_errors_that_no_attempt_can_mend_are_not_tried_again(path: Path) -> None:
    kinds = ("context_window_exceeded", "auth", "insufficient_credits", "invalid_request")
    async with agent_on(path, [[errors.ModelError("No.", kind=kind)] for kind in kinds]) as api:  # type: ignore[arg-type]
        for number, kind in enumerate(kinds, 1):
            failed = await finished(api, await api.create_thread("Hi"))
            assert (failed.status, failed.error, failed.error_kind) == ("failed", "No.", kind)
            assert len(api.agent.model.requests) == number  # type: ignore[union-attr]


async def test_retry_after_is_honoured(path: Path) -> None:
    clock = FakeClock()
    busy = errors.ModelError("Slow down.", kind="rate_limited", retryable=True, retry_after=40.0)
    model = ScriptedModel([[busy], ["Hello"]])
    async with agent_on(path, model, settings=EAGER, runtime={"clock": clock}) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.thread["retry_state"])
            waiting = await api.get_thread(thread.id)
            assert waiting is not None
            state = waiting.retry_state or {}
            assert (state["attempt"], state["max_attempts"], state["error"], state["kind"]) == (
                2,
                3,
                "Slow down.",
                "rate_limited",
            )
            assert state["next_at"] == clock.now() + 40
            clock.advance(39)
            await asyncio.sleep(2 * EAGER.poll)
            assert len(model.requests) == 1, "not before it is time"
            clock.advance(1)
            await finished(api, thread)
            await follower.agrees()


async def test_a_wait_outlives_its_process(path: Path) -> None:
    clock = FakeClock()
    policy = RetryPolicy(initial_delay=60, jitter=0)
    options: dict[str, Any] = {"retry": policy, "settings": EAGER, "runtime": {"clock": clock}}
    async with agent_on(path, [["Hal", BUSY]], **options) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.thread["retry_state"])
    async with agent_on(path, [["Hello"]], **options) as api:
        assert (await api.get_thread(thread.id)).retry_state  # type: ignore[union-attr]
        clock.advance(61)
        await finished(api, thread)
        assert await texts(api, thread) == ["Hi", "Hello"]


async def test_the_step_limit(path: Path) -> None:
    async with agent_on(path, lambda _: [ToolUse("ping")], tools=[ping], max_steps=3) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            failed = await finished(api, thread)
            assert (failed.status, failed.error_kind) == ("failed", "StepLimitError")
            assert len(api.agent.model.requests) == 3  # type: ignore[union-attr]
            await follower.agrees()
            await api.resume_thread(thread.id)
            await finished(api, thread)
            assert len(api.agent.model.requests) == 6  # type: ignore[union-attr]
            await follower.agrees()


async def test_transformed_messages_are_sent_and_not_stored(path: Path) -> None:
    async def last(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"role": "system", "content": "Short."}, messages[-1]]

    model = ScriptedModel([["a"], ["b"]])
    async with agent_on(path, model, transform_messages=last) as api:
        thread = await finished(api, await api.create_thread("one"))
        await api.send_message(thread.id, "two")
        await finished(api, thread)
        assert [message["content"] for message in model.requests[1]] == ["Short.", "two"]
        assert await texts(api, thread) == ["one", "a", "two", "b"]


async def test_a_thread_of_an_unknown_agent_waits_for_it(path: Path) -> None:
    async with Runtime(prepared(path)) as runtime:
        api = define_agent_api(runtime, Agent("rare", ScriptedModel([["Here."]])))
        runtime.store.agents._agents.clear()  # pyright: ignore[reportPrivateUsage]
        thread = await api.create_thread("Hi")
        await eventually(lambda: rows(path)["agent_wake_up"] and not runtime.workpool.busy)
        assert not rows(path)["agent_stream"]  # repeated checks must not pile up rows
        runtime.register(api.agent)
        assert (await finished(api, thread)).status == "completed"


async def test_hooks_are_called_and_change_nothing(path: Path) -> None:
    told: list[tuple[Any, ...]] = []

    def hook(name: str) -> Any:
        async def tell(*args: Any) -> None:
            told.append((name, *args[1:]))
            raise ValueError(name)

        return tell

    names = ("on_message_complete", "on_turn_complete", "on_error", "on_retry")
    usage = Usage(input_tokens=3, output_tokens=5, total_tokens=8)
    turns = [[BUSY], [ToolUse("ping"), usage], ["Done."], [errors.ModelError("No.", kind="auth")]]
    async with Runtime(prepared(path)) as runtime:
        agent = Agent(
            "a", ScriptedModel(turns), tools=[ping], retry=AT_ONCE, **{name: hook(name) for name in names}
        )
        api = define_agent_api(runtime, agent, on_status_change=hook("on_status_change"))
        thread = await finished(api, await api.create_thread("Hi"))
        await api.send_message(thread.id, "More")
        assert (await finished(api, thread)).status == "failed"
    moves = [args for name, *args in told if name == "on_status_change"]
    assert moves == [
        ["streaming", "completed"],
        ["awaiting_tool_results", "streaming"],
        ["streaming", "awaiting_tool_results"],
        ["completed", "streaming"],
        ["streaming", "completed"],
        ["failed", "streaming"],
    ]
    whole = [args for name, *args in told if name == "on_message_complete"]
    assert [used for _, used in whole] == [usage, None]
    assert [args[0].text for name, *args in told if name == "on_turn_complete"] == ["Done."]
    assert [str(args[0]) for name, *args in told if name == "on_error"] == ["No."]
    assert [args[0]["attempt"] for name, *args in told if name == "on_retry"] == [2]


async def test_a_slow_hook_delays_nothing(path: Path) -> None:
    leave = asyncio.Event()

    async def slow(*_: Any) -> None:
        await leave.wait()

    model = ScriptedModel([[ToolUse("ping")], ["Done."]])
    async with agent_on(path, model, tools=[ping], on_message_complete=slow) as api:
        thread = await api.create_thread("Hi")
        assert (await finished(api, thread)).status == "completed"
        leave.set()


async def test_step_without_deltas_is_shown_when_it_is_whole(path: Path) -> None:
    async with agent_on(path, [["Hel", 0.05, "lo"]], save_stream_deltas=False) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await finished(api, thread)
            await follower.agrees()
            assert await texts(api, thread) == ["Hi", "Hello"]
    assert len(rows(path)["agent_delta"]) == 3
