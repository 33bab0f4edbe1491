"""Limits of the history cache: its size, unused threads, and no leftovers of deleted ones."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, action_tool, async_tool, errors
from agent_core.runners.history import size_of
from agent_core.runners.history_cache import ThreadCache
from agent_core.testing import ToolUse, eventually
from tests.support.agents import agent_on, finished, runtime_of
from tests.support.containers import entries

MB = 1 << 20


def test_cache_drops_the_oldest_thread_when_it_is_too_large() -> None:
    memory: ThreadCache[str] = ThreadCache()
    for name in "abcd":
        memory.put(name, name, 5 * MB)
        memory.put(name, name, 15 * MB)  # replaces the first value instead of adding to it
    assert [memory.get(name) for name in "abcd"] == [None, None, "c", "d"]
    memory.grow("c", 3 * MB)  # grows past the limit in place
    memory.put("e", "e", 0)
    assert [memory.get(name) for name in "cde"] == [None, "d", "e"]
    memory.put("huge", "huge", 100 * MB)
    assert (memory.get("huge"), len(memory)) == ("huge", 1), "the newest stays, however large"
    assert (memory.pop("huge"), memory.pop("huge")) == ("huge", None)
    memory.put("small", "small", 32 * MB)
    memory.put("nothing", "nothing", 0)
    assert len(memory) == 2, "what was taken counts no more"


def test_unused_threads_leave_the_cache_with_time() -> None:
    now = 0.0
    memory: ThreadCache[str] = ThreadCache(lambda: now)
    memory.put("left", "left", 1)
    now = 299.0
    memory.put("new", "new", 1)
    assert memory.get("left") == "left"
    now = 300.0
    memory.put("newer", "newer", 1)
    assert [memory.get(name) for name in ("left", "new", "newer")] == [None, "new", "newer"]


def test_an_estimated_size_is_near_the_memory_taken() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "x" * 1000}}
    messages = [
        {"role": "user", "content": "x" * 1000},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:" + "x" * 5000}}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    for message in messages:
        assert size_of(message) == pytest.approx(_taken(message), rel=0.35)


def _taken(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sys.getsizeof(value) + sum(map(_taken, inner))


@action_tool
async def look() -> str:
    """Look."""
    return "seen"


@action_tool(needs_approval=True)
async def pay() -> str:
    """Wait for a person's yes."""
    return "paid"


@async_tool(timeout=60)
async def ask() -> None:
    """Wait for an outcome from outside."""


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    """Call the tool named by the prompt, fail, hang, or answer."""
    word = str(messages[-1]["content"])
    if word in ("look", "pay", "ask"):
        return ["I need it.", ToolUse(word), ToolUse("look")]
    if word == "fail":
        return ["Well, ", errors.ModelError("No.", kind="auth", retryable=False)]
    return ["Wait", 3600.0] if word == "wait" else [f"You said {word}."]


KINDS = ("hello", "look", "pay", "ask", "wait", "fail", "queue", "left")


async def visit(api: AgentApi, kind: str) -> None:
    """Create and follow a thread, end one turn or leave it unfinished, and delete the thread."""
    word = {"left": "pay"}.get(kind, kind)
    thread = await api.create_thread(word)
    reader = asyncio.create_task(_follow(api, thread.id))
    if word in ("pay", "ask", "wait"):
        call: str = await eventually(lambda: _begun(api, thread.id, word))
        if kind == "pay":
            await api.approve_tool_calls(thread.id, [call])
        elif kind == "ask":
            await api.add_tool_result(call, "told", thread_id=thread.id)
        elif kind == "wait":
            await api.stop_thread(thread.id)
    elif kind == "queue":
        await api.send_message(thread.id, "more", when_busy="queue")
    if kind != "left":
        await finished(api, thread)
    await api.delete_thread(thread.id)
    await asyncio.wait_for(reader, 20)  # the reader ends with the thread


async def _follow(api: AgentApi, thread_id: str) -> None:
    with contextlib.suppress(errors.ThreadNotFoundError):  # the thread was deleted before
        async for _ in api.subscribe(thread_id):
            pass


async def _begun(api: AgentApi, thread_id: str, word: str) -> str:
    if word == "wait":
        return thread_id if "Wait" in str(await api.stream_updates(thread_id)) else ""
    calls = {"pay": "approval-requested", "ask": "input-available"}
    parts = (await api.list_messages(thread_id))[-1].parts
    if not any(part.get("state") == "output-available" for part in parts):
        return ""
    return next((part["toolCallId"] for part in parts if part.get("state") == calls[word]), "")


async def test_deleted_threads_leave_nothing_in_the_cache(path: Path) -> None:
    async with agent_on(path, answer, tools=[look, pay, ask]) as api:
        for kind in KINDS:  # builds whatever is built only once
            await visit(api, kind)
        await _quiet(api)
        api.agent.model.requests.clear()  # type: ignore[union-attr]  # kept for tests
        before = entries(runtime_of(api))
        assert before[".worker._history_cache.turns._entries"] == 0
        await asyncio.gather(*(visit(api, kind) for kind in KINDS for _ in range(5)))
        await _quiet(api)
        api.agent.model.requests.clear()  # type: ignore[union-attr]
        after = entries(runtime_of(api))
    # Prepared statements of PostgreSQL and the agents of a heartbeat are few, whenever they first appear.
    more = {name: (before[name], count) for name, count in after.items() if count > before[name]}
    assert {name for name in more if not name.endswith(("._prepared", "._announced"))} == set(), more


async def _quiet(api: AgentApi) -> None:
    runtime = runtime_of(api)
    pools = (runtime.workpool, runtime.tool_workpool)
    await eventually(lambda: not any(pool.busy for pool in pools))
    await runtime.store.writer.run(lambda _: None)
