"""Authorization: checked before every method that touches an existing thread, however the callback denies."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent_core import AgentApi, CallContext, define_agent_api, errors
from agent_core.domain.messages import Thread
from agent_core.support.settings import Settings
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import async_tool
from tests.support.agents import (
    Follower,
    agent_on,
    api_methods,
    finished,
    rows,
    runtime_of,
    texts,
    tool_parts,
)

ANN, BOB = CallContext("ann"), CallContext("bob")
CREATES = {"create_thread"}
"""Methods whose thread does not exist yet."""


def methods() -> list[str]:
    """Return every public method that takes a thread id."""
    found = api_methods().items()
    return [name for name, function in found if "thread_id" in inspect.signature(function).parameters]


def call(api: AgentApi, name: str, thread_id: str, ctx: CallContext | None = None) -> Any:
    """Call a method with dummy arguments, because a denial comes before they are read."""
    method = attrgetter(name)(api)
    given: dict[str, Any] = {"thread_id": thread_id, "ctx": ctx}
    for parameter in inspect.signature(method).parameters.values():
        if parameter.default is parameter.empty and parameter.name not in given:
            given[parameter.name] = "x"
    result = method(**given)
    return anext(result) if inspect.isasyncgen(result) else result


def sync_denied(ctx: Any, thread_id: str) -> None:
    raise errors.AccessDeniedError("Not yours.")


async def async_denied(ctx: Any, thread_id: str) -> None:
    await asyncio.sleep(0)
    raise errors.AccessDeniedError("Not yours.")


def broken(ctx: Any, thread_id: str) -> None:
    raise PermissionError("Who are you?")


async def async_broken(ctx: Any, thread_id: str) -> None:
    raise KeyError(thread_id)


async def answers_no(ctx: Any, thread_id: str) -> bool:
    return False


DENIALS: dict[Callable[..., Any], type[Exception]] = {
    sync_denied: errors.AccessDeniedError,
    async_denied: errors.AccessDeniedError,
    broken: PermissionError,
    async_broken: KeyError,
    answers_no: errors.AccessDeniedError,
}


def test_the_methods_are_found() -> None:
    assert {"send_message", "subscribe", "edit_message", "fork_thread", "add_tool_result"} < set(methods())
    assert set(methods()) > CREATES


def test_every_method_that_is_given_a_thread_is_told_who_calls() -> None:
    for name in methods():
        assert "ctx" in inspect.signature(api_methods()[name]).parameters, name


@pytest.mark.parametrize("deny", DENIALS)
async def test_denied_callers_get_nothing_and_change_nothing(path: Path, deny: Any) -> None:
    asked: list[tuple[Any, str]] = []

    def noted(ctx: Any, thread_id: str) -> Any:
        asked.append((ctx, thread_id))
        return deny(ctx, thread_id)

    async with agent_on(path, [["Yes."]]) as internal:
        thread = await finished(internal, await internal.create_thread("Hi"))
        before = rows(path)
        api = define_agent_api(internal.store, internal.agent, noted)
        for thread_id in (thread.id, "nothing"):
            for name in sorted(set(methods()) - CREATES):
                asked.clear()
                with pytest.raises(DENIALS[deny]):
                    await call(api, name, thread_id, ANN)
                assert asked == [(ANN, thread_id)], name
        assert rows(path) == before


async def test_allowed_callers_get_through(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as internal:
        api = define_agent_api(internal.store, internal.agent, lambda ctx, thread_id: None)
        thread = await finished(api, await api.create_thread("Hi", ctx=ANN))
        assert await texts(api, thread) == ["Hi", "Yes."]


async def test_a_callback_with_a_parameter_for_the_thread_is_given_it(path: Path) -> None:
    given: list[Thread | None] = []

    def owner_only(ctx: CallContext | None, thread_id: str, thread: Thread | None) -> None:
        given.append(thread)
        if thread is not None and (ctx is None or thread.user_id != ctx.user_id):
            raise errors.AccessDeniedError("Not yours.")

    async with agent_on(path, [["Yes."]]) as internal:
        api = define_agent_api(internal.store, internal.agent, owner_only)
        thread = await finished(internal, await api.create_thread("Hi", ctx=ANN))
        assert (await api.get_thread(thread.id, ctx=ANN)) == thread
        with pytest.raises(errors.AccessDeniedError):
            await api.get_thread(thread.id, ctx=CallContext("bob"))
        assert await api.get_thread("nothing", ctx=ANN) is None
        assert given == [thread, thread, None]


async def test_a_runtime_gives_any_thread_to_a_callback_that_asks_for_it(path: Path) -> None:
    async with agent_on(path, []) as api:
        runtime = runtime_of(api)
        thread = await api.create_thread(ctx=ANN)
        await api.delete_thread(thread.id, undo_for=60)
        assert await api.get_thread(thread.id) is None
        found = await runtime.get_thread(thread.id)
        assert found is not None
        assert (found.user_id, found.in_bin) == (ANN.user_id, True), "who may bring it back is asked, too"
        assert await runtime.get_thread("nothing") is None
        assert await runtime.get_thread("\0") is None


# lists


async def test_a_caller_lists_their_own_threads_only(path: Path) -> None:
    async with agent_on(path, []) as api:
        anns = [(await api.create_thread(title=f"T{n}", ctx=ANN)).id for n in range(3)][::-1]
        bobs = await api.create_thread(title="T", ctx=BOB)
        nobodys = await api.create_thread(title="T")

        async def listed(**given: Any) -> list[str]:
            return [thread.id for thread in await api.list_threads(**given)]

        assert await listed(ctx=ANN) == await listed(ctx=ANN, user_id="ann") == anns
        assert await listed(ctx=ANN, user_id="bob") == []
        assert await listed(ctx=ANN, query="T", limit=2) == anns[:2]
        assert await listed(ctx=ANN, cursor=anns[0]) == anns[1:]
        assert await listed(ctx=ANN, cursor=bobs.id) == anns, "another's thread is no place in this list"
        assert await listed(user_id="bob") == await listed(ctx=BOB) == [bobs.id]
        assert await listed(ctx=CallContext()) == await listed() == [nobodys.id, bobs.id, *anns]


# followers


class Door:
    """Authorization callback that counts its calls and can start to deny."""

    def __init__(self) -> None:
        self.asked = 0
        self.shut = False

    async def __call__(self, ctx: Any, thread_id: str) -> None:
        self.asked += 1
        if self.shut:
            raise PermissionError("Not any more.")


async def gone(follower: Follower) -> None:
    """Wait until the follower is denied access."""
    with pytest.raises(PermissionError, match="Not any more"):
        await follower.until(lambda _: False)


async def test_a_follower_is_asked_about_again_while_updates_flow(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, now = Door(), 0.0
    monkeypatch.setattr("agent_core.store.store.time", SimpleNamespace(monotonic=lambda: now))
    turn = [item for n in range(10_000) for item in (f"{n} ", 0.01)]
    async with agent_on(path, [turn], settings=Settings(recheck=5), throttle_ms=5) as internal:
        api = define_agent_api(internal.store, internal.agent, door)
        thread = await internal.create_thread("Hi")
        follower = Follower(api, thread.id)
        for asked in (1, 2, 3):
            await follower.until(lambda _, asked=asked: door.asked == asked)
            updates = len(follower.seen)
            await follower.until(lambda _, seen=updates: len(follower.seen) >= seen + 5)
            assert door.asked == asked, "not for each update"
            now += 6
        door.shut = True
        await gone(follower)
        seen = list(follower.seen)
        await internal.stop_thread(thread.id)
        assert follower.seen == seen


async def test_a_follower_is_asked_about_at_each_snapshot(path: Path) -> None:
    door = Door()
    async with agent_on(path, lambda _: ["Yes."], settings=Settings(recheck=3600)) as internal:
        api = define_agent_api(internal.store, internal.agent, door)
        thread = await finished(internal, await internal.create_thread("Hi"))
        follower = Follower(api, thread.id)
        await follower.until(lambda view: view.thread.get("status") == "completed")
        assert door.asked == 1
        answer = (await internal.list_messages(thread.id))[1]
        await internal.send_message(thread.id, "More")
        await finished(internal, thread)
        await follower.until(lambda view: len(view.messages) == 4)
        assert door.asked == 1
        await internal.regenerate(thread.id, answer.id)
        await follower.until(lambda view: len(view.messages) == 2)
        assert door.asked == 2
        await finished(internal, thread)
        door.shut = True
        await internal.select_branch(thread.id, answer.id)
        await gone(follower)


async def test_a_follower_hears_of_the_deletion_all_the_same(path: Path) -> None:
    """An application's callback looks up the thread, which no longer exists."""
    async with agent_on(path, [], settings=Settings(recheck=0)) as internal:

        async def owned(ctx: CallContext | None, thread_id: str) -> None:
            thread = await internal.get_thread(thread_id)
            if thread is None or ctx is None or thread.user_id != ctx.user_id:
                raise errors.AccessDeniedError("Not yours.")

        api = define_agent_api(internal.store, internal.agent, owned)
        thread = await api.create_thread(ctx=ANN)
        with pytest.raises(errors.AccessDeniedError):
            await anext(api.subscribe(thread.id, ctx=BOB))
        updates = api.subscribe(thread.id, ctx=ANN)
        assert (await anext(updates)).type == "snapshot"
        await internal.delete_thread(thread.id)
        assert [update.type async for update in updates] == ["deleted"]


# outcomes without a thread


@async_tool
async def ask() -> None:
    """Ask a person."""


async def test_an_outcome_without_its_thread_tells_nothing_of_other_threads(path: Path) -> None:
    def owned(ctx: CallContext | None, thread_id: str) -> None:
        if ctx is None or not thread_id.startswith(str(ctx.user_id)):
            raise errors.AccessDeniedError("Not yours.")

    model = ScriptedModel(lambda m: ["Thanks."] if m[-1]["role"] == "tool" else [ToolUse("ask", id="c")])
    async with agent_on(path, model, tools=[ask]) as internal:
        api = define_agent_api(internal.store, internal.agent, owned)
        for thread_id in ("ann1", "bob1", "bob2"):
            await internal.create_thread("Hi", thread_id=thread_id)
            await eventually(lambda thread_id=thread_id: tool_parts(internal, thread_id))

        refusals = set[str]()
        for ctx, call_id in ((CallContext("eve"), "c"), (CallContext("eve"), "d"), (None, "c"), (ANN, "d")):
            with pytest.raises(errors.UnreachableToolCallError) as refused:
                await api.add_tool_result(call_id, 1, ctx=ctx)
            refusals.add(str(refused.value).replace(repr(call_id), "…"))
        assert len(refusals) == 1, "what does not exist and what is another's look the same"
        with pytest.raises(errors.AccessDeniedError):
            await api.add_tool_error("c", "no", thread_id="bob1", ctx=ANN)
        with pytest.raises(errors.AmbiguousToolCallError):
            await api.add_tool_result("c", 1, ctx=BOB)
        await api.add_tool_result("c", 1, ctx=ANN)  # only one of her threads has this call
        assert (await finished(internal, "ann1")).status == "completed"
        with pytest.raises(errors.ToolCallFinishedError):
            await api.add_tool_result("c", 2, ctx=ANN)
        await api.add_tool_error("c", "no", thread_id="bob1", ctx=BOB)
        await finished(internal, "bob1")
        await internal.stop_thread("bob2")
        with pytest.raises(errors.AmbiguousToolCallError):
            await internal.add_tool_result("c", 1)
        with pytest.raises(errors.ToolCallNotFoundError):
            await internal.add_tool_result("d", 1)
