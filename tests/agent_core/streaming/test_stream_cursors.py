"""Reading streams by cursor, as the seed does: each chunk comes once and in order, at any pace."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, RetryPolicy, errors
from agent_core.streaming.fold import fold, merge
from agent_core.testing import FakeClock, Reasoning, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import AT_ONCE, EAGER, agent_on, finished, prepare

BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)
LONG = 30.0
LIST = {"kind": "list"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


@action_tool(retry=AT_ONCE)
async def look(n: int) -> str:
    """Look."""
    await asyncio.sleep(0.005)
    return f"seen {n}"


def turn(messages: list[dict[str, Any]]) -> Iterable[Any]:
    if messages[-1]["role"] == "tool":
        return counting(lambda: True)
    return ["Look", 0.01, Reasoning("why"), 0.01, ": ", ToolUse("look", {"n": 1}), ToolUse("look", {"n": 2})]


def counting(may_end: Callable[[], bool]) -> Iterator[Any]:
    """Yield sixty numbers, and more until `may_end` allows the end, however slow the readers are."""
    for n in itertools.count():
        if n >= 60 and may_end():
            return
        yield f"{n} "
        yield 0.005


class Client:
    """Client that reads as the seed's does: the list of streams, then deltas after its cursors."""

    def __init__(self, api: AgentApi, thread_id: str) -> None:
        self.api, self.thread_id = api, thread_id
        self.cursors: dict[str, int] = {}
        self.chunks: dict[str, list[dict[str, Any]]] = {}
        self.messages: list[Any] = []

    async def look(self) -> list[dict[str, Any]]:
        """Poll once, and return the list of streams."""
        listed = await self.api.list_messages_with_streams(self.thread_id, LIST)
        streams = listed["streams"]["messages"]
        for stream in streams:
            self.cursors.setdefault(stream["streamId"], 0)
        asked = [{"streamId": name, "cursor": cursor} for name, cursor in self.cursors.items()]
        got = await self.api.list_messages_with_streams(
            self.thread_id, {"kind": "deltas", "cursors": random.sample(asked, len(asked))}
        )
        self.messages = got["messages"]
        for delta in got["streams"]["deltas"]:
            name = delta["streamId"]
            assert delta["start"] == self.cursors[name] < delta["end"]
            self.cursors[name] = delta["end"]
            self.chunks.setdefault(name, []).extend(delta["parts"])
        return streams


async def follow(client: Client) -> AsyncGenerator[None]:
    while True:
        await client.look()
        yield
        await asyncio.sleep(random.random() * 0.02)


async def test_chunks_come_once_and_in_order_in_any_rhythm(path: Path) -> None:
    looks = 0

    def answer(messages: list[dict[str, Any]]) -> Iterable[Any]:
        return counting(lambda: looks > 5) if messages[-1]["role"] == "tool" else turn(messages)

    async with agent_on(path, answer, tools=[look], throttle_ms=1) as api:
        thread = await api.create_thread("Go")
        hasty, lazy = Client(api, thread.id), Client(api, thread.id)
        async for _ in follow(hasty):
            looks += 1
            if (await api.get_thread(thread.id)).status == "completed":  # type: ignore[union-attr]
                break
        await hasty.look()
        streams = await lazy.look()
        assert looks > 5
        assert [stream["status"] for stream in streams] == ["finished", "finished"]
        whole = {
            u.seq: [c for c in u.chunks if "data-" not in c["type"]] async for u in _updates(api, thread)
        }
        for stream in streams:
            name = stream["streamId"]
            assert merge(hasty.chunks[name]) == merge(lazy.chunks[name])
            assert merge(lazy.chunks[name]) == merge(whole[stream["seq"]])
        reply = hasty.messages[-1]
        said = [chunk for stream in streams for chunk in lazy.chunks[stream["streamId"]]]
        assert fold(said) == reply.parts
        assert {stream["msgId"] for stream in streams} == {reply.id}
        assert reply.committed_seq == streams[-1]["seq"]


async def _updates(api: AgentApi, thread: Any) -> AsyncGenerator[Any]:
    """Yield the thread's deltas by seq, as a follower from the beginning gets them."""
    found: dict[int, Any] = {}
    async for update in api.subscribe(thread.id, 0):
        if update.seq:
            known = found.get(update.seq)
            found[update.seq] = update if known is None else _joined(known, update)
        done = await api.get_thread(thread.id)
        assert done is not None
        if update.cursor == done.cursor:
            break
    for update in found.values():
        yield update


def _joined(one: Any, other: Any) -> Any:
    return replace(one, chunks=(*one.chunks, *other.chunks))


async def test_a_lost_attempt_leaves_the_list_at_the_next_first_token(path: Path) -> None:
    later, clock = RetryPolicy(max_attempts=2, initial_delay=60, jitter=0), FakeClock()
    turns, runtime = [["first try", 0.05, BUSY], ["second"]], {"clock": clock}
    async with agent_on(path, turns, retry=later, settings=EAGER, runtime=runtime) as api:
        thread = await api.create_thread("Hi")
        client = Client(api, thread.id)

        async def aborted() -> bool:
            return [s["status"] for s in await client.look()] == ["aborted"]

        await eventually(aborted)
        (lost,) = client.chunks
        assert fold(client.chunks[lost])[-1]["text"] == "first try"
        clock.advance(61)
        await finished(api, thread)
        (stream,) = await client.look()
        assert stream["streamId"] != lost
        assert fold(client.chunks[stream["streamId"]]) == client.messages[-1].parts


async def test_trimmed_chunks_are_in_the_message(path: Path) -> None:
    async with agent_on(path, lambda _: ["Yes."]) as api:
        thread = await finished(api, await api.create_thread("1"))
        client = Client(api, thread.id)
        (first,) = await client.look()
        for number in (2, 3):
            await api.send_message(thread.id, f"{number}")
            await finished(api, thread)
        streams = await client.look()
        assert first["streamId"] not in {stream["streamId"] for stream in streams}
        assert [m.text for m in client.messages] == ["1", "Yes.", "2", "Yes.", "3", "Yes."]
        assert fold(client.chunks[first["streamId"]]) == client.messages[1].parts


async def test_list_messages_without_or_with_unknown_streams_has_no_chunks(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as api:
        thread = await finished(api, await api.create_thread("1"))
        plain = await api.list_messages_with_streams(thread.id)
        assert plain["streams"] is None
        assert plain["messages"] == await api.list_messages(thread.id)
        for name in ("other:1", f"{thread.id}:99", f"{thread.id}:", "", f"{thread.id}:１", "x" * 5000):
            asked = {"kind": "deltas", "cursors": [{"streamId": name, "cursor": 0}]}
            got = await api.list_messages_with_streams(thread.id, asked)
            assert got["streams"] == {"kind": "deltas", "deltas": []}
        with pytest.raises(errors.ThreadNotFoundError):
            await api.list_messages_with_streams("nobody", LIST)


@pytest.mark.sqlite  # refused before any row is read
@pytest.mark.parametrize(
    "args",
    [
        {},
        {"kind": "nonsense"},
        {"kind": "list", "cursors": []},
        {"kind": "deltas"},
        {"kind": "deltas", "cursors": {}},
        {"kind": "deltas", "cursors": [1]},
        {"kind": "deltas", "cursors": [{"streamId": 1, "cursor": 0}]},
        *(
            {"kind": "deltas", "cursors": [{"streamId": "t:1", "cursor": bad}]}
            for bad in (-1, 1.0, True, "1", None, 2**70)
        ),
        {"kind": "deltas", "cursors": [{"streamId": "t:1", "cursor": n} for n in (1, 2)]},
        {"kind": "deltas", "cursors": [{"streamId": "t:1", "cursor": 1}] * 1001},
        "list",
    ],
    ids=repr,
)
async def test_wrong_stream_arguments_are_refused_in_words(path: Path, args: Any) -> None:
    async with agent_on(path, []) as api:
        await api.create_thread(thread_id="t")
        with pytest.raises(errors.ValidationError):
            await api.list_messages_with_streams("t", args)
