"""Stopping a turn: in any phase and from any process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_core import RetryPolicy, errors
from agent_core.support.settings import Settings
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import Follower, agent_on, finished, live, rows, texts, worker_of

LONG = 600.0  # seconds that a scripted model takes unless it is stopped


async def test_stop_keeps_what_was_said_and_ends_the_request(path: Path) -> None:
    model = ScriptedModel([["Once ", Reasoning("hm"), "upon", LONG]])
    async with agent_on(path, model) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda _: follower.text == "Once upon")
            stopped = await api.stop_thread(thread.id)
            assert (stopped.status, stopped.stop_signal, stopped.retry_state) == ("stopped", True, None)
            await eventually(lambda: not worker_of(api).pools.steps.running())
            assert await texts(api, thread) == ["Hi", "Once \n\nupon"]
            await follower.agrees()
    assert not rows(path)["agent_wake_up"]


async def test_stop_from_another_process_ends_the_request(path: Path) -> None:
    """The worker reacts to the commit of the stop, without waiting for its next check of the fences."""
    seldom = Settings(pulse=600, poll=600, reconcile=600)
    async with (
        agent_on(path, [["a", LONG]], settings=seldom) as api,
        agent_on(path, [], runtime={"work": False}) as other,
    ):
        thread = await api.create_thread("Hi")
        await live(api, thread.id, "a")
        await other.stop_thread(thread.id)
        await eventually(lambda: not worker_of(api).pools.steps.running())
        assert await texts(api, thread) == ["Hi", "a"]


async def test_stop_before_the_first_token_leaves_no_reply(path: Path) -> None:
    async with agent_on(path, [[LONG]]) as api, agent_on(path, [], runtime={"work": False}) as other:
        thread = await api.create_thread("Hi")
        await eventually(lambda: api.agent.model.requests)  # type: ignore[union-attr]
        await other.stop_thread(thread.id)
        await eventually(lambda: not worker_of(api).pools.steps.running())
        assert await texts(api, thread) == ["Hi"]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_stop_while_a_tool_runs_ends_the_tool(path: Path, elsewhere: bool) -> None:
    happened: list[str] = []

    @action_tool
    async def wait() -> None:
        """Wait."""
        happened.append("began")
        try:
            await asyncio.sleep(LONG)
        finally:
            happened.append("ended")

    turns = [[ToolUse("wait")]]
    async with (
        agent_on(path, turns, tools=[wait]) as api,
        agent_on(path, [], runtime={"work": False}) as other,
    ):
        thread = await api.create_thread("Hi")
        await eventually(lambda: happened)
        await (other if elsewhere else api).stop_thread(thread.id)
        await eventually(lambda: happened == ["began", "ended"])
        assert (await finished(api, thread)).status == "stopped"


async def test_stop_during_a_retry_wait_keeps_the_text_until_resume(path: Path) -> None:
    slow = RetryPolicy(max_attempts=3, initial_delay=LONG)
    fails = ["half", errors.ModelError("Busy.", kind="rate_limited", retryable=True)]
    async with agent_on(path, [fails, ["whole"]], retry=slow) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.thread["retry_state"])
            waiting = await api.get_thread(thread.id)
            assert waiting is not None
            assert waiting.retry_state is not None
            assert (waiting.status, waiting.retry_state["attempt"]) == ("streaming", 2)
            stopped = await api.stop_thread(thread.id)
            assert (stopped.status, stopped.retry_state) == ("stopped", None)
            assert not rows(path)["agent_wake_up"]
            assert await texts(api, thread) == ["Hi", "half"]
            await follower.agrees()
            await api.resume_thread(thread.id)
            await finished(api, thread)
            assert await texts(api, thread) == ["Hi", "whole"]


async def test_stop_of_an_idle_thread_changes_nothing(path: Path) -> None:
    async with agent_on(path, [["a"]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        before = rows(path)
        assert await api.stop_thread(thread.id) == thread
        assert rows(path) == before


async def test_thread_can_be_stopped_at_once_and_sent_to_again_many_times(path: Path) -> None:
    """A task that is cancelled before it starts must release its key."""
    async with agent_on(path, lambda _: ["a", 0.001]) as api:
        thread = await api.create_thread()
        for number in range(20):
            sent = api.send_message(thread.id, f"{number}")
            stopped = api.stop_thread(thread.id)
            await asyncio.gather(sent, stopped)
        await api.send_message(thread.id, "last", when_busy="interrupt")
        assert (await finished(api, thread)).status == "completed"
