"""CPU per streamed chunk that the library itself costs, from the adapter to the rows and on to a reader.

An answer of 3,000 chunks comes in bursts of 50, ten bursts a second, so that deltas are flushed as in
production. The adapter's own CPU, measured by draining it alone, is subtracted.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from agent_core import Agent, Runtime, define_agent_api
from agent_core.domain.model_adapter import ModelRequest
from agent_core.testing import ScriptedModel
from benchmarks.report import Figures, heading, interleaved, row

CHUNKS, BURST, PAUSE, TIMES = 3_000, 50, 0.1, 3
TURN: list[str | float] = [
    item for n in range(CHUNKS) for item in ([PAUSE, "word "] if n % BURST == 0 else ["word "])
]


async def adapter_alone() -> Figures:
    """Drain the adapter; return the CPU seconds."""
    request = ModelRequest(messages=[{"role": "user", "content": "Go."}], tools=[], options={})
    began = time.process_time()
    async for _event in ScriptedModel([TURN]).stream(request):
        pass
    return (time.process_time() - began,)


async def idle(_api: Any, _thread_id: str) -> None:
    """Read nothing."""


async def read(api: Any, thread_id: str) -> None:
    """Follow the thread as a page does."""
    async for update in api.subscribe(thread_id):
        if any(
            chunk["type"] == "data-thread" and chunk["data"]["status"] == "completed"
            for chunk in update.chunks
        ):
            return


async def whole_path(reader: Any) -> Figures:
    """Run one turn through an open runtime, with `reader` following it; return its CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(name="bench", model=ScriptedModel([TURN]))
        async with Runtime(database_url=f"sqlite:///{Path(folder, 'agents.db')}") as runtime:
            api = define_agent_api(runtime, agent)
            thread = await api.create_thread()
            following = asyncio.create_task(reader(api, thread.id))
            began = time.process_time()
            await api.send_message(thread.id, "Go.")
            await api.wait_until_idle(thread.id)
            await asyncio.wait_for(following, 10)
            return (time.process_time() - began,)


def main() -> None:
    """Print microseconds per chunk."""
    heading(f"CPU per streamed chunk ({CHUNKS} chunks, all threads)")
    asyncio.run(whole_path(read))  # warm-up: imports and compiled statements don't count
    runs = [
        lambda: asyncio.run(adapter_alone()),
        lambda: asyncio.run(whole_path(idle)),
        lambda: asyncio.run(whole_path(read)),
    ]
    (adapter,), (stored,), (followed,) = interleaved(runs, TIMES)
    row("the scripted adapter alone", adapter / CHUNKS * 1e6, "us/chunk")
    row("stored, nobody reading", (stored - adapter) / CHUNKS * 1e6, "us/chunk", "above the adapter")
    row(
        "stored and followed by one reader",
        (followed - adapter) / CHUNKS * 1e6,
        "us/chunk",
        "above the adapter",
    )


if __name__ == "__main__":
    main()
