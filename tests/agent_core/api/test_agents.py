"""Several agents on one runtime: each thread's agent is selected and changed by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_core import (
    Agent,
    AgentApi,
    CallContext,
    Runtime,
    define_agent_api,
    define_internal_agent_api,
    errors,
)
from agent_core.agent import AnyAgent
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import Follower, finished, prepare, rows, texts, tool_parts
from tests.support.branches import ids
from tests.support.databases import prepared

LONG = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


def named(name: str, turn: Any = None, **options: Any) -> Agent:
    return Agent(name, ScriptedModel(turn or (lambda _: [f"{name} here"])), **options)


@asynccontextmanager
async def two_agents(path: Path, *agents: Agent) -> AsyncGenerator[tuple[AgentApi, AgentApi, list[Any]]]:
    """Run two agents, each with its own API, and record the status changes that each one's hook receives."""
    one, two = agents or (named("one"), named("two"))
    told: list[Any] = []

    def hook(name: str) -> Any:
        return lambda *args: told.append((name, *args))

    async with Runtime(prepared(path)) as runtime:
        yield (
            define_agent_api(runtime, one, on_status_change=hook(one.name)),
            define_agent_api(runtime, two, on_status_change=hook(two.name)),
            told,
        )


async def test_a_thread_is_answered_by_the_agent_it_names(path: Path) -> None:
    async with two_agents(path) as (one, two, told):
        own = await one.create_thread("Hi")
        other = await one.create_thread("Hi", agent="two")
        assert (own.agent, other.agent) == ("one", "two")
        for thread, name in ((own, "one"), (other, "two")):
            await finished(two, thread)
            assert await texts(one, thread) == ["Hi", f"{name} here"]
        wanted = {("one", own.id, "completed", "streaming"), ("two", other.id, "completed", "streaming")}
        await eventually(lambda: wanted <= set(told))
        assert {(name, thread_id) for name, thread_id, *_ in told} == {("one", own.id), ("two", other.id)}


async def test_another_agent_answers_from_the_next_turn_on(path: Path) -> None:
    async with two_agents(path) as (api, _, told):
        thread = await finished(api, await api.create_thread("Hi"))
        async with Follower(api, thread.id) as follower:
            await follower.agrees()
            assert (await api.update_thread(thread.id, agent="two")).agent == "two"
            await api.send_message(thread.id, "More")
            await finished(api, thread)
            assert await texts(api, thread) == ["Hi", "one here", "More", "two here"]
            await api.update_thread(thread.id, agent="one", title="Both")
            await api.regenerate(thread.id, (await ids(api, thread))[-1])
            await finished(api, thread)
            assert (await texts(api, thread))[-1] == "one here"
            await follower.agrees()
            assert (follower.view.thread["agent"], follower.view.thread["title"]) == ("one", "Both")
            fork = await api.fork_thread(thread.id, (await ids(api, thread))[-1])
            assert fork.agent == "one"
        await eventually(lambda: [name for name, *_ in told] == ["one"] * 2 + ["two"] * 2 + ["one"] * 2)


async def test_an_agent_that_nobody_knows_changes_nothing(path: Path) -> None:
    async with two_agents(path) as (api, _, _told):
        thread = await finished(api, await api.create_thread("Hi"))
        before = rows(path)
        for name in ("three", "", "One", "two ", "\ud800"):
            for call in (
                api.create_thread("Hi", agent=name),
                api.update_thread(thread.id, agent=name, title="x"),
            ):
                with pytest.raises(errors.ValidationError, match=r"the agents are: one, two\."):
                    await call
        with pytest.raises(errors.ThreadNotFoundError):
            await api.update_thread("nothing", agent="two")
        assert rows(path) == before


async def test_the_agent_of_a_running_thread_stays(path: Path) -> None:
    async with two_agents(path, named("one", [["x", LONG], ["y"]]), named("two")) as (api, _, _told):
        thread = await api.create_thread("Hi")
        with pytest.raises(errors.ThreadBusyError):
            await api.update_thread(thread.id, agent="two", title="x")
        assert (await api.update_thread(thread.id, agent="one", title="Mine")).title == "Mine"
        await api.stop_thread(thread.id)
        await api.update_thread(thread.id, agent="two")
        await api.resume_thread(thread.id)
        await finished(api, thread)
        assert (await texts(api, thread))[-1] == "two here"


async def test_edited_arguments_are_checked_by_the_threads_own_agent(path: Path) -> None:
    """This includes an agent that a factory makes for the thread's owner."""

    def pays(name: str, kind: type) -> Agent:
        async def pay(amount: kind) -> str:  # type: ignore[valid-type]
            return f"paid {amount!r}"

        def turn(messages: list[dict[str, Any]]) -> list[Any]:
            done = messages[-1]["role"] == "tool"
            return ["Done."] if done else [ToolUse("pay", {"amount": 1 if kind is int else "one"})]

        return named(name, turn, tools=[action_tool(needs_approval=True)(pay)])

    asked: list[tuple[str | None, str]] = []

    def make(ctx: CallContext, thread_id: str) -> Agent:
        asked.append((ctx.user_id, thread_id))
        return pays("two", int)

    async with Runtime(prepared(path)) as runtime:
        api = define_internal_agent_api(runtime, pays("one", str))
        runtime.register(Agent.factory(make, name="two"))
        thread = await api.create_thread("Hi", agent="two", ctx=CallContext("ann"))
        (call,) = await eventually(lambda: tool_parts(api, thread))
        call_id = call["toolCallId"]
        asked.clear()
        with pytest.raises(errors.ValidationError):
            await api.approve_tool_calls(thread.id, [call_id], args={call_id: {"amount": "many"}})
        assert asked == [("ann", thread.id)]
        await api.approve_tool_calls(thread.id, [call_id], args={call_id: {"amount": 7}})
        await finished(api, thread)
        (call,) = await tool_parts(api, thread)
        assert call["output"] == "paid 7"


async def test_edited_arguments_are_not_approved_unchecked(path: Path) -> None:
    @action_tool(needs_approval=True)
    async def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Done."] if messages[-1]["role"] == "tool" else [ToolUse("pay", {"amount": 1})]

    async with (
        Runtime(prepared(path)) as runtime,
        Runtime(prepared(path), work=False) as elsewhere,
    ):
        api = define_internal_agent_api(runtime, named("one", turn, tools=[pay]))
        stranger = define_internal_agent_api(elsewhere, named("two"))
        thread = await api.create_thread("Hi")
        (call,) = await eventually(lambda: tool_parts(api, thread))
        call_id = call["toolCallId"]
        before = rows(path)
        with pytest.raises(errors.ValidationError, match="'one' is not known here"):
            await stranger.approve_tool_calls(thread.id, [call_id], args={call_id: {"amount": "many"}})
        assert rows(path) == before
        await stranger.approve_tool_calls(thread.id, [call_id])  # unedited arguments: any process may approve
        assert (await finished(api, thread)).status == "completed"


async def test_a_hook_is_not_told_of_threads_whose_agent_is_elsewhere(path: Path) -> None:
    told: list[Any] = []
    async with (
        Runtime(prepared(path)) as runtime,
        Runtime(prepared(path), work=False) as elsewhere,
    ):
        api = define_internal_agent_api(runtime, named("one", [["x", LONG]]))
        stranger = define_internal_agent_api(
            elsewhere, named("two"), on_status_change=lambda *args: told.append(args)
        )
        thread = await api.create_thread("Hi")
        await stranger.stop_thread(thread.id)
        own = await stranger.create_thread("Hi")
        await stranger.stop_thread(own.id)
        await eventually(lambda: len(told) == 2)
        await asyncio.sleep(0)
        assert {thread_id for thread_id, *_ in told} == {own.id}


def factory(name: str) -> AnyAgent:
    return Agent.factory(lambda _, __: named(name), name=name)


@pytest.mark.sqlite  # agents are registered in memory
@pytest.mark.parametrize("first", [named, factory])
@pytest.mark.parametrize("second", [named, factory])
@pytest.mark.parametrize("define", [define_agent_api, define_internal_agent_api])
async def test_a_second_agent_of_a_name_is_refused_and_the_first_answers_on(
    path: Path, first: Any, second: Any, define: Any
) -> None:
    async with Runtime(prepared(path)) as runtime:
        agent = first("one")
        api = define(runtime, agent)
        define(runtime, agent)  # registering the same agent twice is allowed
        runtime.register(agent)
        for register in (define, Runtime.register):
            with pytest.raises(errors.ValidationError, match=r"'one'.*replace=True"):
                register(runtime, second("one"))
        assert runtime.store.agents == {"one": agent}
        thread = await finished(api, await api.create_thread("Hi"))
        assert (await texts(api, thread))[-1] == "one here"


@pytest.mark.sqlite  # agents are registered in memory
@pytest.mark.parametrize("define", [define_agent_api, define_internal_agent_api])
async def test_an_agent_that_replaces_another_answers_its_threads(path: Path, define: Any) -> None:
    async with Runtime(prepared(path)) as runtime:
        old = define(runtime, named("one"))
        thread = await finished(old, await old.create_thread("Hi"))
        define(runtime, named("one", lambda _: ["the new one"]), replace=True)
        await old.send_message(thread.id, "And now?")
        assert (await texts(old, await finished(old, thread)))[-1] == "the new one"


async def test_runtimes_know_their_own_agents(path: Path) -> None:
    """Two versions or two processes of a program may each have an agent of the same name on one database."""
    async with Runtime(prepared(path)) as one, Runtime(prepared(path), work=False) as two:
        here = define_internal_agent_api(one, named("one"))
        there = define_internal_agent_api(two, named("one", lambda _: ["the other one"]))
        assert (await texts(here, await finished(here, await there.create_thread("Hi"))))[-1] == "one here"
