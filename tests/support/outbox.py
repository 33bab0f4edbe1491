"""A runtime with an outbox for tests, and a receiver of its events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent_core import (
    Outbox,
    OutboxEvent,
)
from agent_core.domain.model_adapter import Usage
from agent_core.store.database.sql import OUTBOX_EVENT, WAKE_UP
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import AT_ONCE, EAGER, agent_on, rows

STATUS = "thread.status_changed"


@action_tool
async def ping() -> str:
    """Ping."""
    return "pong"


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    last = messages[-1]
    if last["role"] == "tool" or last["content"] != "Use it":
        return ["Grüße 🙂", Usage(10, 5, 15, cost=0.5)]
    return [ToolUse("ping", {}), Usage(1, 1, 2, cost=0.25)]


class Receiver:
    """Handler that notes what it receives, and fails as often as a test wants."""

    def __init__(self, fails: Callable[[OutboxEvent], BaseException | None] = lambda event: None) -> None:
        self.seen: list[OutboxEvent] = []
        self.tried: list[OutboxEvent] = []
        self._fails = fails

    async def __call__(self, event: OutboxEvent) -> None:
        self.tried.append(event)
        if (error := self._fails(event)) is not None:
            raise error
        self.seen.append(event)

    def of(self, thread_id: str) -> list[OutboxEvent]:
        return [event for event in self.seen if event.thread_id == thread_id]


def on(path: Path, receiver: Any, turns: Any = answer, **more: Any) -> Any:
    outbox = Outbox(receiver, retry=more.pop("policy", AT_ONCE), **more.pop("outbox", {}))
    runtime = {"outbox": outbox} | more.pop("runtime", {})
    return agent_on(path, turns, tools=[ping], settings=more.pop("settings", EAGER), runtime=runtime, **more)


async def emptied(path: Path) -> None:
    """Wait until no event and no delivery is left."""

    async def empty() -> bool:
        found = rows(path, OUTBOX_EVENT, WAKE_UP)
        return not found["agent_outbox_event"] and not found["agent_wake_up"]

    await eventually(empty)
