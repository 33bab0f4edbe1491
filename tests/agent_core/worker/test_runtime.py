"""The runtime: opening and closing, several runtimes on one file, and the limits of their pools."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, Runtime, Workpool, action_tool, define_internal_agent_api, errors
from agent_core.support.settings import Settings
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.support.agents import agent_on, finished
from tests.support.databases import prepared


async def test_the_ten_lines_of_the_readme(path: Path) -> None:
    @action_tool
    async def get_weather(location: str) -> dict[str, Any]:
        """Tell the weather."""
        return {"location": location, "sky": "clear"}

    turns = [[ToolUse("get_weather", {"location": "Rome"})], ["Clear."]]
    async with Runtime(prepared(path)) as runtime:
        agent = Agent(name="assistant", model=ScriptedModel(turns), system="…", tools=[get_weather])
        api = define_internal_agent_api(runtime, agent)
        thread = await api.create_thread("Weather in Rome?")
        assert (await api.wait_until_idle(thread.id)).status == "completed"
        assert (await api.list_messages(thread.id))[-1].text == "Clear."


async def test_a_sender_that_does_not_work_is_served_at_once(path: Path) -> None:
    """Another process's new work is noticed by its commit, not by the next poll."""
    seldom = Settings(poll=600, reconcile=600)
    async with (
        agent_on(path, lambda _: ["Yes."], settings=seldom),
        agent_on(path, [], runtime={"work": False}) as sender,
    ):
        for _ in range(5):
            assert (await finished(sender, await sender.create_thread("Hi"))).status == "completed"


async def test_pools_limit_what_runs_at_once(path: Path) -> None:
    now, most, limits = [0, 0], [0, 0], [2, 3]

    async def stay(place: int) -> None:
        now[place] += 1
        most[place] = max(most[place], now[place])
        await eventually(lambda: most[place] >= limits[place])  # however slowly the others start
        await asyncio.sleep(0.02)
        now[place] -= 1

    @action_tool
    async def busy() -> None:
        """Take a moment."""
        await stay(1)

    async def turn(messages: list[dict[str, Any]]) -> list[Any]:
        await stay(0)
        return ["Well."] if messages[-1]["role"] == "tool" else [ToolUse("busy")] * 3

    pools = {"workpool": Workpool(2), "tool_workpool": Workpool(3)}
    async with agent_on(path, turn, tools=[busy], runtime=pools) as api:
        threads = [await api.create_thread(f"{n}") for n in range(8)]
        for thread in threads:
            assert (await finished(api, thread)).status == "completed"
    assert most == limits


async def test_a_workpool_serves_the_next_runtime_too(path: Path) -> None:
    pool = Workpool(1)
    for _ in range(2):
        async with agent_on(path, lambda _: ["Yes."], runtime={"workpool": pool}) as api:
            assert (await finished(api, await api.create_thread("Hi"))).status == "completed"


async def test_a_runtime_outside_of_its_block_is_refused(path: Path) -> None:
    runtime = Runtime(prepared(path))
    api = define_internal_agent_api(runtime, Agent("a", ScriptedModel([])))
    with pytest.raises(errors.AgentCoreError, match="async with"):
        await api.create_thread("Hi")
    async with runtime:
        with pytest.raises(errors.ValidationError, match="open already"):
            await runtime.__aenter__()
    with pytest.raises(errors.AgentCoreError):
        await api.create_thread("Hi")


async def test_follower_leaves_when_the_runtime_closes(path: Path) -> None:
    async with agent_on(path, []) as api:
        thread = await api.create_thread()
        following = asyncio.create_task(_drain(api, thread.id))
        await eventually(lambda: api.store.feeds._feeds)  # pyright: ignore[reportPrivateUsage]
    await asyncio.wait_for(following, 20)


async def _drain(api: Any, thread_id: str) -> None:
    async for _ in api.subscribe(thread_id):
        pass


def test_a_script_ends_when_it_is_done(tmp_path: Path) -> None:
    """Neither the writer's nor the scheduler's thread may keep the process alive."""
    script = f"""
import asyncio
from agent_core import Agent, Runtime, define_internal_agent_api
from agent_core.testing import ScriptedModel
async def main():
    async with Runtime("sqlite:///{tmp_path / "a.db"}") as runtime:
        api = define_internal_agent_api(runtime, Agent("a", ScriptedModel([["Hi."]])))
        await api.wait_until_idle((await api.create_thread("Hi")).id)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
