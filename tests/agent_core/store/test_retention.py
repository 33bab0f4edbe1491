"""Retention: threads that have been idle for too long are deleted, and no others."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, Store, define_internal_agent_api, errors
from agent_core.schedules.triggers import At
from agent_core.store.database.sql import FILE, MESSAGE
from agent_core.store.turns import retention
from agent_core.testing import FakeClock, ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import agent_on, finished, rows
from tests.support.databases import prepare, prepared

DAY = 86_400.0
START = 1_750_000_000.0
SAID = [{"role": "user", "content": "Hi"}]
PNG = b"\x89PNG\r\n\x1a\n"


async def delete_expired(api: AgentApi, days: float = 30) -> int:
    return await api.store.writer.run(retention.delete_expired, "assistant", days * DAY)


async def left(api: AgentApi) -> set[str | None]:
    shown = await api.list_threads(1_000)
    return {thread.title for thread in [*shown, *await api.list_threads(1_000, archived=True)]}


@action_tool(needs_approval=True)
async def pay() -> str:
    """Pay."""
    return "paid"


async def test_idle_threads_are_deleted_and_those_in_use_are_kept(path: Path) -> None:
    clock = FakeClock(START)
    model = ScriptedModel(lambda m: [ToolUse("pay", {}, "c1")] if m[-1]["role"] == "user" else ["Paid."])
    async with agent_on(path, model, tools=[pay], runtime={"clock": clock}) as api:
        for title in ("idle", "archived", "shared", "pinned", "binned", "scheduled", "once"):
            await api.create_thread(title=title, messages=SAID)
        ids = {thread.title: thread.id for thread in await api.list_threads()}
        await api.update_thread(ids["archived"], archived=True)
        await api.shares.create(ids["shared"])
        await api.update_thread(ids["pinned"], pinned=True)
        await api.delete_thread(ids["binned"], undo_for=90 * DAY)
        await api.schedules.create(ids["scheduled"], "Hi", _at(60))
        waiting = await api.create_thread("pay", title="waiting")

        async def waits() -> bool:
            return len(await api.list_waiting()) == 1

        await eventually(waits)
        clock.advance(29 * DAY)
        assert await delete_expired(api) == 0
        await api.create_thread(title="new", messages=SAID)
        clock.advance(2 * DAY)
        assert await delete_expired(api) == 4
        assert await left(api) == {"pinned", "scheduled", "waiting", "new"}
        await api.restore_thread(ids["binned"])
        await api.approve_tool_calls(waiting.id, ["c1"])
        await finished(api, waiting)
        assert await delete_expired(api) == 1, "restoring is no activity"
        assert await left(api) == {"pinned", "scheduled", "waiting", "new"}


def _at(days: float) -> At:
    return At(START + days * DAY)


async def test_a_thread_is_deleted_with_its_messages_and_files(path: Path) -> None:
    clock = FakeClock(START)
    async with agent_on(path, [], runtime={"clock": clock, "work": False}) as api:
        thread = await api.create_thread()
        attached = await api.add_file(PNG, media_type="image/png")
        await api.add_message(thread.id, {"role": "user", "parts": [attached]})
        assert thread.id in [row[0] for row in rows(path, FILE)[FILE.name]]
        clock.advance(31 * DAY)
        assert await delete_expired(api) == 1
        assert [row[0] for row in rows(path, FILE)[FILE.name]] == [""], "the upload itself is kept for a day"
        assert rows(path, MESSAGE)[MESSAGE.name] == []


async def test_two_workers_delete_each_thread_once(path: Path) -> None:
    clock = FakeClock(START)
    async with agent_on(path, [], runtime={"clock": clock, "work": False}) as api:
        for _ in range(30):
            await api.create_thread(messages=SAID)
        clock.advance(31 * DAY)
        async with Store(prepared(path), clock=clock) as other:
            both = (api.store.writer, other.writer)
            deleted = 0
            while found := await asyncio.gather(
                *(writer.run(retention.delete_expired, "assistant", 30 * DAY) for writer in both)
            ):
                deleted += sum(found)
                if not any(found):
                    break
        assert deleted == 30
        assert await left(api) == set()


async def test_workers_delete_by_the_settings_and_by_the_agents_own(path: Path) -> None:
    clock = FakeClock(START)
    agents = {"default": None, "short": DAY, "never": math.inf}

    def defined(runtime: Runtime, names: list[str]) -> dict[str, AgentApi]:
        return {
            name: define_internal_agent_api(
                runtime, Agent(name, ScriptedModel([]), delete_after=agents.get(name))
            )
            for name in names
        }

    prepare(path)
    async with Runtime(prepared(path), clock=clock, work=False) as runtime:
        for name, api in defined(runtime, [*agents, "unknown"]).items():
            await api.create_thread(title=name, messages=SAID)
    clock.advance(2 * DAY)
    for days, kept in ((0.0, {"default", "never", "unknown"}), (29.0, {"never", "unknown"})):
        clock.advance(days * DAY)
        async with Runtime(prepared(path), clock=clock, delete_after=30 * DAY, work=False) as runtime:
            api = defined(runtime, list(agents))["never"]
            await runtime.begin_work()

            async def deleted(api: AgentApi = api, kept: Any = kept) -> bool:
                return await left(api) == kept

            await eventually(deleted)


async def test_by_default_nothing_is_deleted(path: Path) -> None:
    clock = FakeClock(START)
    async with agent_on(path, [], runtime={"clock": clock, "work": False}) as api:
        assert api.store.settings.delete_after is None
        assert api.agent.delete_after is None  # type: ignore[union-attr]


@pytest.mark.parametrize("seconds", [-1.0, math.nan, "30"])
def test_an_unusable_time_is_refused(seconds: Any) -> None:
    with pytest.raises(errors.ValidationError, match="delete_after"):
        Agent("a", ScriptedModel([]), delete_after=seconds)
    with pytest.raises(errors.ValidationError, match="delete_after"):
        Runtime("sqlite://", delete_after=seconds)
