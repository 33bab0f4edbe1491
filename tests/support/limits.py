"""Helpers for the tests of limits and budgets: an agent whose answers cost something, at noon of a day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent_core import AgentApi, CallContext
from agent_core.domain.model_adapter import Usage
from agent_core.testing import FakeClock, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import EAGER, agent_on

ANN, BOB = CallContext("ann"), CallContext("bob")
NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z
EVENING = NOON + 12 * 3600
COST = Usage(10, 5, 15, cost=0.5)


@action_tool
async def ping() -> str:
    """Ping."""
    return "pong"


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    if messages[-1]["content"] == "Use it":
        return [ToolUse("ping", {}), COST]
    return ["Well.", COST]


def on(path: Path, turns: Any = answer, clock: FakeClock | None = None, **more: Any) -> Any:
    runtime: dict[str, Any] = {"clock": clock or FakeClock(NOON)} | more.pop("runtime", {})
    return agent_on(path, turns, tools=[ping], settings=EAGER, runtime=runtime, **more)


async def state_of(api: AgentApi, thread_id: str, wanted: Callable[[dict[str, Any]], bool] = bool) -> Any:
    """Wait until a thread is paused; return its `retry_state`."""

    async def found() -> dict[str, Any] | None:
        thread = await api.get_thread(thread_id)
        assert thread is not None
        state = thread.retry_state or {}
        return state if wanted(state) else None

    return await eventually(found)


async def asked(api: AgentApi, prompt: str = "Hi", ctx: CallContext | None = ANN) -> str:
    return (await api.create_thread(prompt, ctx=ctx)).id
