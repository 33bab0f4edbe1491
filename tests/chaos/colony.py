"""Real workers that are restarted whenever they die, and turns of which some kill their process.

The first words of a prompt say what its turn does, and for how long: "say 0.5", "die 2" (in the model
adapter, after two seconds of streaming), "die-elsewhere 2" (in a thread that the adapter has started),
"work 3" (steps with tools that may run again), "call 0.5" and "call-die 1" (a tool that may run again, and
one that kills its process), "once 0.5" and "once-die 1" (the same with a tool that may not run again).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from typing import Any

from agent_core import (
    Agent,
    AgentApi,
    Runtime,
    Thread,
    ToolContext,
    action_tool,
    create_workpool_bridge,
    define_internal_agent_api,
)
from agent_core.support.settings import Settings
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.worker.procrastinate import ProcrastinateEngine
from tests.chaos.worker import start


def kill_me() -> None:
    """Kill this process with SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


class Lethal:
    """Pause in a scripted turn, after which the process is killed."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def __iter__(self) -> Lethal:
        return self

    def __next__(self) -> Any:
        if time.monotonic() < self._until:
            return 0.02
        kill_me()
        raise AssertionError("it lives")


def answer(messages: list[dict[str, Any]]) -> Any:
    """Return the turn that the last prompt asks for."""
    asked = max(n for n, message in enumerate(messages) if message["role"] == "user")
    verb, seconds, *_ = messages[asked]["content"].split()
    done = sum(message["role"] == "tool" for message in messages[asked:])
    if verb == "die":
        return Lethal(float(seconds))
    if verb == "die-elsewhere":
        threading.Timer(float(seconds), kill_me).start()
        return ["Well. ", 60.0]
    if verb == "say":
        return ["Well. ", float(seconds), "Done."]
    if verb == "work" and done < int(seconds):
        return [0.005, ToolUse("again", {"seconds": 0.005})]
    if verb != "work" and done == 0:
        name = "once" if verb.startswith("once") else "again"
        return [ToolUse(name, {"seconds": float(seconds), "lethal": verb.endswith("die")})]
    return [0.005, "Done."]


async def _pause(seconds: float, lethal: bool) -> str:
    await asyncio.sleep(seconds)
    if lethal:
        kill_me()
    return "done"


@action_tool(rerun_on_interrupt=True)
async def again(seconds: float, ctx: ToolContext, lethal: bool = False) -> str:
    """Take a while; may run again."""
    return await _pause(seconds, lethal)


@action_tool
async def once(seconds: float, ctx: ToolContext, lethal: bool = False) -> str:
    """Take a while; may not run again."""
    return await _pause(seconds, lethal)


def agent() -> Agent:
    """Return the agent that all workers and the sender use."""
    return Agent("assistant", ScriptedModel(answer), tools=[again, once], max_steps=1_000)


@dataclass
class Colony:
    """Workers on one database, which are restarted when they die, and a sender.

    Attributes:
        url: URL of the database.
        workers: number of workers.
        engine: whether Procrastinate delivers the work.
        settings: settings of the runtimes that differ from the defaults.
        restarts: whether a worker that dies is replaced.
        sender_works: whether the sender is a worker, too.
    """

    url: str
    workers: int = 1
    engine: bool = False
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    restarts: bool = True
    sender_works: bool = False
    deaths: int = 0
    _over: bool = False
    children: list[ForkServerProcess] = field(default_factory=list[ForkServerProcess])

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[AgentApi]:
        """Start the sender and the workers, and yield the sender's API."""
        pools = await asyncio.to_thread(self.pools)
        settings = Settings(**self.settings)
        async with Runtime(self.url, work=self.sender_works, settings=settings, **pools) as runtime:
            api = define_internal_agent_api(runtime, agent())
            self.children = [await asyncio.to_thread(start, _live, self.plan) for _ in range(self.workers)]
            keeping = asyncio.create_task(self._keep())
            try:
                yield api
            finally:
                self._over = True
                await keeping
                for child in self.children:
                    child.kill()
                    child.join()

    @property
    def plan(self) -> Colony:
        """The part of the colony that a child needs."""
        return Colony(self.url, self.workers, self.engine, self.settings)

    def pools(self) -> dict[str, Any]:
        """Return the workpool of a runtime, as arguments."""
        if not self.engine:
            return {}
        return {"workpool": create_workpool_bridge(ProcrastinateEngine(self.url))}

    async def _keep(self) -> None:
        while self.restarts and not self._over:
            for place, child in enumerate(self.children):
                if child.exitcode is not None:
                    self.deaths += 1
                    child.join()
                    self.children[place] = start(_live, self.plan)  # not in a thread: see Harness._replace
            await asyncio.sleep(0.02)

    async def kill(self, times: int, pause: tuple[float, float], dice: random.Random) -> None:
        """Kill a random worker `times` times, each time after a random pause."""
        for _ in range(times):
            child = dice.choice(self.children)
            await asyncio.sleep(dice.uniform(*pause))
            child.kill()
            await eventually(lambda child=child: child not in self.children)


def _live(colony: Colony) -> None:
    asyncio.run(_work(colony))


async def _work(colony: Colony) -> None:
    async with Runtime(colony.url, settings=Settings(**colony.settings), **colony.pools()) as runtime:
        define_internal_agent_api(runtime, agent())
        await asyncio.Event().wait()


async def settled(api: AgentApi, names: list[str], within: float) -> dict[str, Thread]:
    """Return the threads once all are idle, or as they are after `within` seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await asyncio.gather(*(api.wait_until_idle(name, within) for name in names))
    found = [await api.get_thread(name) for name in names]
    return {thread.id: thread for thread in found if thread is not None}


async def send(api: AgentApi, prompts: dict[str, str]) -> None:
    """Create a thread for each name, all at once."""
    await asyncio.gather(*(api.create_thread(prompt, thread_id=name) for name, prompt in prompts.items()))
