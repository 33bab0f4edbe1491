"""Helpers for the tests that no error strands a thread: odd errors, and a check that a thread goes on."""

from __future__ import annotations

import asyncio

from agent_core import AgentApi
from agent_core.domain.messages import Thread
from agent_core.tools import action_tool
from tests.support.agents import Follower, finished, texts


@action_tool
async def add(a: int, b: int = 0) -> int:
    """Add."""
    return a + b


async def goes_on(api: AgentApi, thread: Thread) -> None:
    """Assert that one more message is answered, and that followers see the answer."""
    await api.send_message(thread.id, "Still there?")
    assert (await finished(api, thread)).status == "completed"
    assert (await texts(api, thread))[-1] == "Yes."
    async with Follower(api, thread.id) as follower:
        await follower.agrees()


class Odd(BaseException):
    """An error that is no Exception, and not one of Python's own."""


class MuteError(Exception):
    """An error whose text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


RAISED: dict[str, tuple[BaseException, str]] = {
    "an exit": (SystemExit(3), "raised SystemExit(3)"),
    "no Exception": (Odd("odd"), "raised Odd('odd')"),
    "its own cancellation": (asyncio.CancelledError(), "cancelled itself"),
    "no words": (MuteError(), "MuteError"),
    "too many words": (ValueError("x" * 3_000_000), "… (cut)"),
    "a group": (ExceptionGroup("several", [ValueError("a")]), "several"),
    "recursion": (RecursionError("too deep"), "too deep"),
    "memory": (MemoryError(), "MemoryError"),
    "NUL and half a character": (ValueError("a\0\ud800"), "a\ufffd\ufffd"),
}
