"""Changes to a server's database from outside, as by another process of the same app."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from agent_core import Agent, AgentApi, Runtime, define_internal_agent_api
from agent_core.testing import ScriptedModel, eventually
from tests.support.browser.server import Server

T = TypeVar("T")


def on_rows(server: Server, act: Callable[[AgentApi], Awaitable[T]]) -> T:
    """Call `act` with the API of the server's agent, in a runtime that leaves all work to the server."""

    async def run() -> T:
        async with Runtime(f"sqlite:///{server.database}", work=False) as runtime:
            return await act(define_internal_agent_api(runtime, Agent("assistant", ScriptedModel([]))))

    with ThreadPoolExecutor(1) as elsewhere:  # Playwright's event loop runs in this thread
        return elsewhere.submit(asyncio.run, run()).result()


def begin_threads(server: Server, statuses: dict[str, str]) -> dict[str, str]:
    """Create a thread for each prompt, and wait until the server has brought it to its status.

    Args:
        server: the server, which runs the threads.
        statuses: the status by prompt.

    Returns:
        The paths of the threads by prompt.
    """

    async def begin(api: AgentApi) -> dict[str, str]:
        ids = {prompt: (await api.create_thread(prompt)).id for prompt in statuses}

        async def are_there() -> bool:
            threads = [await api.get_thread(thread_id) for thread_id in ids.values()]
            return [thread and thread.status for thread in threads] == list(statuses.values())

        await eventually(are_there, 90)
        return {prompt: f"/chat/{thread_id}" for prompt, thread_id in ids.items()}

    return on_rows(server, begin)


def long_thread(server: Server, count: int) -> str:
    """Create a thread of `count` numbered messages; return its id."""
    messages: list[dict[str, Any]] = [
        {
            "role": "assistant" if n % 2 else "user",
            "parts": [{"type": "text", "text": f"Message {n} of {count}. " + "It says **little**. " * 5}],
        }
        for n in range(count)
    ]
    thread = on_rows(server, lambda api: api.create_thread(messages=messages, title=f"{count} messages"))
    return thread.id


def hurry(server: Server, thread_id: str) -> None:
    """Make the next attempt of a thread's waiting step begin at once."""
    with contextlib.closing(sqlite3.connect(server.database, timeout=10)) as database, database:
        found = database.execute(
            "update agent_wake_up set next_run_time = ? where id = ?", [time.time(), f"step:{thread_id}"]
        )
    assert found.rowcount == 1, "nothing waits"


def prompts_of(server: Server, thread_id: str) -> list[str]:
    """Return the stored texts of the user's messages in a thread."""
    messages = on_rows(server, lambda api: api.list_messages(thread_id))
    return [message.text for message in messages if message.role == "user"]
