"""Helpers for the tests of branches: conversations in which every answer is different."""

from __future__ import annotations

from typing import Any

from agent_core import AgentApi, Thread
from tests.support.agents import finished


def numbered() -> Any:
    """Return a model that answers "re:<prompt> <number>", so that no two answers are equal."""
    count = 0

    def answer(messages: list[dict[str, Any]]) -> list[str]:
        nonlocal count
        count += 1
        asked = [m["content"] for m in messages if m["role"] == "user"]
        return ["re:", asked[-1], f" {count}"]

    return answer


async def talk(api: AgentApi, *prompts: str) -> Thread:
    """Return a thread in which each prompt has been answered."""
    thread = await api.create_thread()
    for prompt in prompts:
        await api.send_message(thread.id, prompt)
        await finished(api, thread)
    return thread


async def ids(api: AgentApi, thread: Thread) -> list[str]:
    """Return the ids of the shown messages."""
    return [message.id for message in await api.list_messages(thread.id)]


async def alternatives(api: AgentApi, thread: Thread) -> list[int]:
    """Return how many alternatives each shown message has."""
    return [len(message.branches) for message in await api.list_messages(thread.id)]
