"""Time of one person's turn alone, and behind 500 threads of another person.

A turn has six steps with a tool between them, and the model takes 0.1 s for each. All slots are busy with the other
person's steps when the turn begins, so that it waits for a slot at each step, if it must wait at all.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

from agent_core import Agent, AgentApi, CallContext, Runtime, Workpool, action_tool, define_internal_agent_api
from agent_core.testing import ScriptedModel, ToolUse
from benchmarks.report import Figures, heading, interleaved, row

THREADS, SLOTS, STEPS, MODEL_SECONDS = 500, 8, 6, 0.1
TIMES = 3
ANN, BOB = CallContext(user_id="ann"), CallContext(user_id="bob")


@action_tool
async def look() -> str:
    """Look around."""
    return "Nothing."


def turn(messages: list[dict[str, Any]]) -> list[Any]:
    """Ask for the tool in each step but the last."""
    asked = sum(message["role"] == "tool" for message in messages)
    return [MODEL_SECONDS, ToolUse("look")] if asked < STEPS - 1 else [MODEL_SECONDS, "Done."]


async def _time(api: AgentApi, numbers: itertools.count[int]) -> float:
    began = time.perf_counter()
    thread = await api.create_thread("Hi", thread_id=f"ann-{next(numbers)}", ctx=ANN)
    await api.wait_until_idle(thread.id)
    return time.perf_counter() - began


async def measure(others: int) -> float:
    """Return the seconds of a turn of Ann's behind `others` threads of Bob's."""
    with tempfile.TemporaryDirectory() as folder:
        pools: dict[str, Any] = {"workpool": Workpool(SLOTS), "tool_workpool": Workpool(SLOTS)}
        async with Runtime(f"sqlite:///{Path(folder, 'agents.db')}", **pools) as runtime:
            api = define_internal_agent_api(runtime, Agent("bench", ScriptedModel(turn), tools=[look]))
            numbers = itertools.count()
            await _time(api, numbers)
            for _ in range(others):
                await api.create_thread("Hi", ctx=BOB)
            return await _time(api, numbers)


def main() -> None:
    """Print both times and their ratio."""
    heading(f"One person's turn beside {THREADS} threads of another, {SLOTS} slots")

    def run(others: int) -> Figures:
        return (asyncio.run(measure(others)),)

    (alone,), (behind,) = interleaved([lambda: run(0), lambda: run(THREADS)], TIMES)
    row("alone", alone, "s")
    row(f"behind {THREADS} threads", behind, "s", f"{behind / alone:.2f} × (aim: at most 2 ×)")


if __name__ == "__main__":
    main()
