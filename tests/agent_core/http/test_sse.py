"""Server-sent events of a thread: resumed by Last-Event-ID, and released when the client leaves."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, errors
from agent_core.testing import Reasoning, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import AT_ONCE, finished, shown
from tests.support.servers.http_server import Page, events, serving

BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)
LONG = 30.0


@action_tool(retry=AT_ONCE)
async def look() -> str:
    """Look."""
    return "seen\u2028\r\nand »more«"


def eventful(messages: list[dict[str, Any]]) -> list[Any]:
    if messages[-1]["role"] == "tool":
        return [word for n in range(20) for word in (f"{n}\r\n ", 0.003)]
    if random.random() < 0.3:
        return ["Half a word", 0.01, BUSY]
    return ["Look: ", 0.01, Reasoning("why"), ToolUse("look"), ToolUse("nothing")]


def followed(api: AgentApi) -> int:
    """Return the number of readers of threads in this process."""
    feeds = api.store.feeds._feeds  # pyright: ignore[reportPrivateUsage]
    return sum(len(feed.readers) for feed in feeds.values())


async def told_of_three_turns(
    api: AgentApi, thread_id: str, page: Page, reading: Coroutine[Any, Any, None]
) -> None:
    """Read three turns and check that the page gets each update once, in order, and shows what is stored."""
    task = asyncio.create_task(reading)
    for number in range(3):
        await api.send_message(thread_id, f"{number}")
        done = await finished(api, thread_id)
        await eventually(lambda done=done: page.cursors[-1:] == [done.cursor])
    task.cancel()
    done = await finished(api, thread_id)
    assert page.cursors == list(range(page.cursors[0], done.cursor + 1))
    assert [shown(m) for m in page.view.messages] == [shown(m) for m in await api.list_messages(thread_id)]


async def test_follower_is_sent_a_snapshot_and_then_every_update_once(path: Path) -> None:
    async with serving(path, eventful, tools=[look]) as (client, api):
        thread = await api.create_thread()
        page = Page()

        async def read() -> None:
            async with client.stream("GET", f"/threads/{thread.id}/events") as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                assert response.headers["cache-control"] == "no-cache, no-transform"
                assert "content-length" not in response.headers
                async for event in events(response):
                    page.take(event)

        await told_of_three_turns(api, thread.id, page, read())
        assert page.types[0] == "snapshot"
        assert set(page.types[1:]) == {"chunks"}


async def test_follower_resumes_by_last_event_id_again_and_again(path: Path) -> None:
    async with serving(path, eventful, tools=[look]) as (client, api):
        thread = await api.create_thread()
        page = Page()

        async def come_and_go() -> None:
            while True:
                headers = {"last-event-id": str(page.cursors[-1])} if page.cursors else {}
                left = random.randint(1, 5)
                async with client.stream("GET", f"/threads/{thread.id}/events", headers=headers) as response:
                    async for event in events(response):
                        page.take(event)
                        left -= 1
                        if left == 0:
                            break

        await told_of_three_turns(api, thread.id, page, come_and_go())
        assert page.types.count("snapshot") == 1


@pytest.mark.parametrize("last", ["nonsense", "999999", "-3", "9" * 40])
async def test_a_strange_cursor_gets_a_snapshot(path: Path, last: str) -> None:
    async with serving(path, [["Yes."]]) as (client, api):
        thread = await finished(api, await api.create_thread("Hi"))
        async with client.stream(
            "GET", f"/threads/{thread.id}/events", params={"limit": 1}, headers={"last-event-id": last}
        ) as response:
            first = await anext(events(response))
        assert (first.type, first.id) == ("snapshot", str(thread.cursor))
        assert [message["role"] for message in first.data["messages"]] == ["assistant"]


async def test_a_client_that_is_killed_frees_its_subscription(path: Path) -> None:
    """The connection is reset, and no update of the thread would reveal it by a failed write."""
    async with serving(path, [["Yes."]], heartbeat=LONG) as (client, api):
        thread = await finished(api, await api.create_thread("Hi"))
        url = client.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(f"GET /threads/{thread.id}/events HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
        await writer.drain()
        assert b"event: snapshot" in await reader.readuntil(b"event: snapshot")
        await eventually(lambda: followed(api) == 1)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await eventually(lambda: followed(api) == 0)


async def test_idle_stream_sends_heartbeats(path: Path) -> None:
    async with serving(path, [["Yes."]], heartbeat=0.05) as (client, api):
        thread = await finished(api, await api.create_thread("Hi"))
        beats = 0
        async with client.stream("GET", f"/threads/{thread.id}/events") as response:
            async for line in response.aiter_lines():
                beats += line == ":"
                if beats == 3:
                    break
        assert beats == 3
        await eventually(lambda: followed(api) == 0)


async def test_stream_ends_with_its_thread_and_with_the_runtime(path: Path) -> None:
    async with serving(path, [["Yes."]]) as (client, api):
        thread = await finished(api, await api.create_thread("Hi"))
        other = await api.create_thread()
        head = await client.head(f"/threads/{thread.id}/events")
        assert (head.status_code, head.content) == (200, b"")
        assert followed(api) == 0
        types: list[str | None] = []

        async def read(name: str) -> None:
            async with client.stream("GET", f"/threads/{name}/events") as response:
                async for event in events(response):
                    types.append(event.type)  # noqa: PERF401 - what has come is looked at meanwhile

        reading = asyncio.create_task(read(thread.id))
        await eventually(lambda: types == ["snapshot"])
        await api.delete_thread(thread.id)
        await reading
        assert types == ["snapshot", "deleted"]
        reading = asyncio.create_task(read(other.id))
        await eventually(lambda: followed(api) == 1)
        api.store.feeds.close()
        await reading
        assert types == ["snapshot", "deleted", "snapshot"]
