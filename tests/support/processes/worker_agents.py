"""Agents of a worker process: what they do waits for files of the folder in `GATES`.

`python -m agent_core worker tests.support.processes.worker_agents:build`
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent_core import Agent, Runtime, action_tool, define_internal_agent_api
from agent_core.testing import ScriptedModel, ToolUse, eventually

QUICK_ANSWER, SLOW_ANSWER, SLOW_TOOL = "quick", "slow", "tool"
"""Prompts: answered at once; answered when the file `go` exists; answered with a tool that waits for `go`."""


def build(runtime: Runtime) -> None:
    """Define the agent."""
    define_internal_agent_api(runtime, agent_of(Path(os.environ["GATES"])))


async def build_slowly(runtime: Runtime) -> None:
    """Define the agent after a while, as one that connects to other servers first."""
    await asyncio.sleep(0.1)
    build(runtime)


def build_nothing(_: Runtime) -> None:
    """Forget to define an agent."""


def build_wrongly(_: Runtime) -> None:
    """Fail like a program with a bug."""
    raise KeyError("no such key")


def agent_of(gates: Path) -> Agent:
    """Return the agent whose model and tool wait for files in `gates`."""

    @action_tool
    async def wait() -> str:
        """Wait for the file."""
        (gates / "runs").touch()
        await eventually((gates / "go").exists, 600)
        return "waited"

    def answer(messages: list[dict[str, Any]]) -> Any:
        prompt = next(m["content"] for m in reversed(messages) if m["role"] == "user")
        if prompt == SLOW_TOOL and messages[-1]["role"] == "user":
            return [ToolUse("wait")]
        return _slowly(gates) if prompt == SLOW_ANSWER else [f"Answer of {os.getpid()}."]

    return Agent("assistant", ScriptedModel(answer), tools=[wait])


def _slowly(gates: Path) -> Iterator[str | float]:
    yield "Begin. "
    (gates / "runs").touch()
    while not (gates / "go").exists():
        yield 0.01
    yield f"Answer of {os.getpid()}."
