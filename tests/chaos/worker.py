"""Child process: a worker that works until it dies, or one that sends prompts and waits for the answers."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from agent_core import AgentApi, Runtime, Thread, create_workpool_bridge, define_internal_agent_api
from agent_core.support import faults
from agent_core.support.settings import Settings
from agent_core.worker.procrastinate import ProcrastinateEngine
from tests.chaos.world import Effects, make_agent
from tests.support.processes.children import FORKED

_ALIVE = 12  # threads under way at any time, so that every kill hits work


@dataclass(frozen=True)
class Plan:
    """Instructions for a child.

    Attributes:
        folder: folder of the database and the effects.
        pace: seconds of each small wait of the model.
        tool_pace: seconds of each small wait of a tool; None: `pace`.
        feed: whether to create threads, too.
        die_at: crash point to die at, and how many times the child passes it, the last one included.
        send: prompts to send to `thread_id`; the child ends once they are answered.
        database: URL of the database; None means a SQLite file in the folder.
        is_host: whether the child is a host of its own: no other process sees its lock files.
        engine: "builtin", or "procrastinate" for the engine that delivers the work.
    """

    folder: Path
    pace: float = 0.01
    tool_pace: float | None = None
    feed: bool = False
    die_at: tuple[str, int] | None = None
    send: tuple[str, ...] = ()
    thread_id: str = "thread_t"
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    database: str | None = None
    is_host: bool = False
    engine: str = "builtin"

    @property
    def pools(self) -> dict[str, Any]:
        """The workpool of a runtime, as arguments."""
        if self.engine == "builtin":
            return {}
        return {"workpool": create_workpool_bridge(ProcrastinateEngine(self.url))}

    @property
    def url(self) -> str:
        """URL of the database."""
        return self.database or f"sqlite:///{self.folder / 'agents.db'}"

    @property
    def effects(self) -> Effects:
        """Effects in the folder."""
        return Effects(self.folder / "effects.log")


def spawn(plan: Plan) -> ForkServerProcess:
    """Start a child with a plan."""
    return start(work, plan)


def start(target: Callable[..., object], *args: Any) -> ForkServerProcess:
    """Start a child; its modules are imported already, so it is up within about 50 ms."""
    process = FORKED.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def work(plan: Plan) -> None:
    """Run the plan in a child."""
    logging.getLogger().addHandler(logging.FileHandler(plan.folder / f"{os.getpid()}.log"))
    if plan.is_host:
        tempfile.tempdir = tempfile.mkdtemp(prefix="host-", dir=plan.folder)  # with the lock files
        logging.getLogger("agent_core.worker.reconciler").setLevel(logging.INFO)  # the takeovers
    if plan.die_at is not None:
        faults.install(plan.die_at[0], _Death(plan.die_at[1]))
    asyncio.run(_main(plan))


async def feed(api: AgentApi, prefix: str) -> None:
    """Keep `_ALIVE` threads under way, each with two prompts, the second one queued behind the first."""
    waiting: set[asyncio.Task[Thread]] = set()
    try:
        for number in itertools.count():
            name = f"{prefix}{number}"
            await api.create_thread(thread_id=name)
            await api.send_message(name, f"work {name}a")
            await api.send_message(name, f"work {name}b", when_busy="queue")
            waiting.add(asyncio.create_task(api.wait_until_idle(name)))
            if len(waiting) == _ALIVE:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


class _Death:
    """Kill this process at the nth call."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def _main(plan: Plan) -> None:
    async with Runtime(plan.url, settings=Settings(**plan.settings), **plan.pools) as runtime:
        api = define_internal_agent_api(runtime, make_agent(plan.effects, plan.pace, plan.tool_pace))
        if plan.feed:
            await feed(api, f"{os.getpid()}-t")
        elif not plan.send:
            await asyncio.Event().wait()
        if await api.get_thread(plan.thread_id) is None:
            await api.create_thread(thread_id=plan.thread_id)
        for prompt in plan.send:
            await api.send_message(plan.thread_id, prompt, message_id=prompt, when_busy="queue")
        await api.wait_until_idle(plan.thread_id, 30)
