"""Cost of a thread's length: opening the thread, appending to it, and running a model step.

One database has threads of 20, 200 and 2,000 messages (turns of a user message and an answer, every fourth
answer with a tool call). A step is a whole turn of a model that answers at once, so the time is the
library's: storing the message, claiming the step, building its request, committing its answer. Warm: this
process ran the previous turn. Cold: another process did, as after a restart, and the history is read again.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from agent_core import Agent, AgentApi, Runtime, action_tool, define_internal_agent_api
from agent_core.domain.model_adapter import Finish, ModelEvent, ModelRequest, TextDelta, ToolCallDelta
from benchmarks.report import heading, row

LENGTHS, TIMES, SIZE = (20, 200, 2_000), 15, 300


class Brief:
    """Model that answers at once, without reading the request."""

    name = "brief"

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Call the tool if the prompt asks for it, else answer with text."""
        if request.messages[-1].get("content") == "use":
            yield ToolCallDelta(0, f"call_{len(request.messages)}", "echo", '{"n": 1}')
        yield TextDelta("a" * SIZE)
        yield Finish("stop")


@action_tool
async def echo(n: int) -> int:
    """Return the argument."""
    return n


def api_on(runtime: Runtime) -> AgentApi:
    """Return an API of the agent on `runtime`."""
    return define_internal_agent_api(runtime, Agent("bench", Brief(), tools=[echo]))


async def turn(api: AgentApi, thread_id: str, words: str = "q") -> None:
    """Run one turn."""
    await api.send_message(thread_id, words)
    await api.wait_until_idle(thread_id)


async def grow(api: AgentApi, length: int) -> str:
    """Make a thread of `length` messages."""
    thread = await api.create_thread(title="bench")
    for number in range(length // 2):
        await turn(api, thread.id, "q" * SIZE if number % 4 else "use")
    return thread.id


async def cpu(action: Callable[[], Awaitable[Any]]) -> float:
    """Return the median CPU milliseconds of `action`."""
    samples: list[float] = []
    for _ in range(TIMES):
        began = time.process_time()
        await action()
        samples.append((time.process_time() - began) * 1e3)
    return statistics.median(samples)


async def first(api: AgentApi, thread_id: str) -> None:
    """Open the thread as a page does."""
    async for _update in api.subscribe(thread_id, limit=50):
        return


async def measure(folder: str, length: int) -> dict[str, float]:
    """Return the milliseconds of each action on a thread of `length` messages."""
    url = f"sqlite:///{Path(folder, 'agents.db')}"
    async with Runtime(url) as runtime:
        api = api_on(runtime)
        thread_id = await grow(api, length)
        note = {"role": "user", "parts": [{"type": "text", "text": "q"}]}
        found = {
            "open: the first snapshot": await cpu(lambda: first(api, thread_id)),
            "open: list_messages(limit=50)": await cpu(lambda: api.list_messages(thread_id, limit=50)),
            "append: add_message": await cpu(lambda: api.add_message(thread_id, note)),
            "step, warm: a whole turn": await cpu(lambda: turn(api, thread_id)),
        }

        async def read() -> None:
            await asyncio.to_thread(runtime.store.reads.history, thread_id)

        found["step, cold: reading the history"] = await cpu(read)
        return found


def main() -> None:
    """Print each action's cost at each length, and the ratio of the longest thread to the shortest."""
    heading(f"Long threads: {LENGTHS[0]:,} to {LENGTHS[-1]:,} messages of {SIZE} B (CPU)")
    figures: list[dict[str, float]] = []
    for length in LENGTHS:
        with tempfile.TemporaryDirectory() as folder:
            figures.append(asyncio.run(measure(folder, length)))
    for action in figures[0]:
        for length, found in zip(LENGTHS, figures, strict=True):
            row(
                f"{action}, {length:,}",
                found[action],
                "ms",
                f"{found[action] / figures[0][action]:.1f} times",
            )


if __name__ == "__main__":
    main()
