"""Change feeds: a snapshot, then every update after it exactly once and in order, from any process."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from agent_core import RetryPolicy, define_agent_api, errors
from agent_core.streaming.fold import ThreadView
from agent_core.testing import FakeClock, Reasoning, ToolUse, eventually
from agent_core.tools import ToolContext, action_tool
from tests.support.agents import AT_ONCE, EAGER, Follower, agent_on, finished, shown, texts

BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)
LONG = 30.0


@action_tool(retry=AT_ONCE)
async def look(ctx: ToolContext) -> str:
    """Report, fail once, and answer."""
    await ctx.report({"attempt": ctx.attempt})
    if ctx.attempt == 1:
        raise OSError("Not yet.")
    return "seen"


def eventful(messages: list[dict[str, Any]]) -> list[Any]:
    """Return a turn with text, reasoning and tool calls, or one that fails."""
    if messages[-1]["role"] == "tool":
        return ["So ", 0.01, Reasoning("hm"), 0.01, "there."]
    if random.random() < 0.3:
        return ["Half a word", 0.01, BUSY]
    return ["Look: ", 0.01, Reasoning("why"), "here", ToolUse("look"), ToolUse("nothing"), ToolUse("look")]


async def test_updates_come_from_another_process_once_and_in_order(path: Path) -> None:
    async with (
        agent_on(path, eventful, tools=[look], throttle_ms=1) as api,
        agent_on(path, [], runtime={"work": False}) as other,
    ):
        thread = await api.create_thread()
        async with Follower(api, thread.id) as near, Follower(other, thread.id) as far:
            for number in range(5):
                await other.send_message(thread.id, f"{number}")
                await finished(other, thread)
                await near.agrees()  # a follower two turns behind may get a snapshot instead
                await far.agrees()
            assert near.snapshots == far.snapshots == 1
            assert near.seen == list(range(near.seen[0], near.seen[-1] + 1))
            assert near.view.messages == far.view.messages


async def test_updates_come_once_over_many_subscriptions_with_a_cursor(path: Path) -> None:
    """A tab that comes and goes sees each update once, whichever process serves it."""
    async with (
        agent_on(path, eventful, tools=[look], throttle_ms=1) as api,
        agent_on(path, [], runtime={"work": False}) as other,
    ):
        thread = await api.create_thread()
        view, cursor, seen = ThreadView(), None, list[int]()

        async def come_and_go() -> None:
            nonlocal cursor
            while True:
                left = random.randint(1, 4)
                updates = random.choice((api, other)).subscribe(thread.id, cursor)
                async for update in updates:
                    view.apply(update)
                    cursor = update.cursor
                    seen.append(cursor)
                    left -= 1
                    if left == 0:
                        break
                await updates.aclose()

        going = asyncio.create_task(come_and_go())
        for number in range(4):
            await api.send_message(thread.id, f"{number}")
            done = await finished(api, thread)
            await eventually(lambda done=done: view.cursor == done.cursor)
        going.cancel()
        assert seen == list(range(seen[0], seen[-1] + 1))
        assert [shown(m) for m in view.messages] == [shown(m) for m in await api.list_messages(thread.id)]


async def test_a_cursor_too_old_gets_a_snapshot(path: Path) -> None:
    async with agent_on(path, lambda _: ["Yes."]) as api:
        thread = await finished(api, await api.create_thread("1"))
        for number in range(3):
            await api.send_message(thread.id, f"{number}")
            await finished(api, thread)
        for cursor in (1, 10_000, -5):
            async with Follower(api, thread.id, cursor) as follower:
                await follower.agrees()
                assert follower.snapshots == 1


async def test_the_turn_before_this_one_is_still_served(path: Path) -> None:
    async with agent_on(path, lambda _: ["Yes."]) as api:
        thread = await finished(api, await api.create_thread("1"))
        await api.send_message(thread.id, "2")
        await finished(api, thread)
        views = [ThreadView(), ThreadView()]
        snapshot = await anext(api.subscribe(thread.id))
        views[0].apply(snapshot)
        await api.send_message(thread.id, "3")
        done = await finished(api, thread)
        async for update in api.subscribe(thread.id, snapshot.cursor):
            assert update.type == "chunks"
            views[0].apply(update)
            if update.cursor == done.cursor:
                break
        views[1].apply(await anext(api.subscribe(thread.id)))
        assert [shown(m) for m in views[0].messages] == [shown(m) for m in views[1].messages]


async def test_a_snapshot_in_mid_word_goes_on_where_it_is(path: Path) -> None:
    words = [word for n in range(40) for word in (f"{n} ", 0.005)]
    async with agent_on(path, [words], throttle_ms=1) as api:
        thread = await api.create_thread("Count")
        async with Follower(api, thread.id) as first:
            for number in (5, 15, 25):
                await first.until(lambda _, number=number: f"{number} " in first.text)
                async with Follower(api, thread.id) as late:
                    await late.until(lambda _, late=late: len(late.text) >= len(first.text) > 0)
                    assert "".join(f"{n} " for n in range(40)).startswith(late.text)
            await finished(api, thread)
            await first.agrees()


async def test_a_lost_attempts_text_stays_until_the_next_first_token(path: Path) -> None:
    later, clock = RetryPolicy(max_attempts=3, initial_delay=60, jitter=0), FakeClock()
    turns, runtime = [["first try", 0.05, BUSY], [0.3, "second try", 0.05]], {"clock": clock}
    async with agent_on(path, turns, retry=later, settings=EAGER, runtime=runtime) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.thread["retry_state"])
            async with Follower(api, thread.id) as late:
                await late.until(lambda _: late.text)
                assert follower.text == late.text == "first try"
                clock.advance(61)
                shown_then = set[str]()
                while (await api.get_thread(thread.id)).status == "streaming":  # type: ignore[union-attr]
                    shown_then.add(late.text)
                    await asyncio.sleep(0.005)
                await late.agrees()
                assert shown_then <= {"first try", "second try"}
            await follower.agrees()


async def test_streams_are_listed_from_a_seq_on(path: Path) -> None:
    async with agent_on(path, [["a", ToolUse("look")], ["b"]], tools=[look]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        updates = await api.stream_updates(thread.id)
        assert [update.seq for update in updates] == [1, 2]
        assert [update.seq for update in await api.stream_updates(thread.id, 2)] == [2]
        types = [chunk["type"] for chunk in updates[0].chunks]
        assert types[0] == "start-step"
        assert types[-1] == "finish-step"
        assert "tool-output-available" in types


async def test_system_messages_are_hidden_from_pages(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as internal:
        public = define_agent_api(internal.store, internal.agent)
        thread = await public.create_thread(messages=[{"role": "system", "content": "Psst."}])
        views = [ThreadView(), ThreadView()]
        for view, api in zip(views, (internal, public), strict=True):
            view.apply(await anext(api.subscribe(thread.id)))
        assert [len(view.messages) for view in views] == [1, 0]
        assert await texts(public, thread) == []
        await public.send_message(thread.id, "Hi")
        await finished(public, thread)
        assert internal.agent.model.requests[0][0]["content"] == "Psst."  # type: ignore[union-attr]
