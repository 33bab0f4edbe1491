"""The SIGKILL harness: workers on one database are killed at random while they work; then we count."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from agent_core import AgentApi, Runtime, define_internal_agent_api
from agent_core.config import Settings
from tests.chaos.worker import Plan, feed, spawn
from tests.chaos.world import Verdict, make_agent


@dataclass
class Harness:
    """One run.

    Attributes:
        folder: where its files go.
        kills: how many.
        workers: how many at once.
        pauses: the share of kills that are a SIGSTOP past the lease and a SIGCONT instead.
        alone: one worker makes its threads itself; nobody else touches the database.
        stock: with APScheduler as it comes; a store of its jobs bears one scheduler, so only alone.
        patience: seconds after the last kill until what still runs is counted as stuck.
        seed: for the moments of the kills.
        database: the URL; none: a SQLite file in the folder.
    """

    folder: Path
    kills: int = 40
    workers: int = 3
    pauses: float = 0.0
    alone: bool = False
    stock: bool = False
    patience: float = 30.0
    seed: int | None = None
    pause: tuple[float, float] = (0.2, 1.4)
    database: str | None = None
    _children: list[ForkServerProcess] = field(default_factory=list[ForkServerProcess])

    async def run(self) -> Verdict:
        """Run it and return the verdict."""
        began = time.monotonic()
        settings = {"lease": 2.0, "heartbeat": 0.5, "reconcile": 0.5, "max_crashes": 1000}
        self._plan = Plan(
            self.folder, 0.01, self.stock, self.alone, settings=settings, database=self.database
        )
        self._random = random.Random(self.seed)
        async with Runtime(self._plan.url, settings=Settings(**settings), work=False) as runtime:
            api = define_internal_agent_api(runtime, make_agent(self._plan.effects, 0))
            self._children = [spawn(self._plan) for _ in range(self.workers)]
            try:
                feeding = asyncio.create_task(asyncio.sleep(0) if self.alone else feed(api, "t"))
                await self._kill()
                feeding.cancel()
                verdict = await self._count(api)
            finally:
                for child in self._children:
                    child.kill()
                    child.join()
        verdict.kills, verdict.seconds = self.kills, time.monotonic() - began
        return verdict

    async def _kill(self) -> None:
        for _ in range(self.kills):
            await asyncio.sleep(self._random.uniform(*self.pause))
            place = self._random.randrange(len(self._children))
            child = self._children[place]
            assert child.pid is not None
            if self._random.random() < self.pauses:
                os.kill(child.pid, signal.SIGSTOP)
                await asyncio.sleep(3.0)
                os.kill(child.pid, signal.SIGCONT)
            else:
                os.kill(child.pid, signal.SIGKILL)
                child.join()
                self._children[place] = spawn(self._plan)

    async def _count(self, api: AgentApi) -> Verdict:
        deadline = time.monotonic() + self.patience
        verdict = Verdict()
        states: dict[str, str] = {}
        for name in [thread.id for thread in await api.list_threads(100_000)]:
            left = max(0.1, deadline - time.monotonic())
            try:
                states[name] = (await api.wait_until_idle(name, left)).status
            except TimeoutError:
                thread = await api.get_thread(name)
                states[name] = thread.status if thread else "gone"
        effects = self._plan.effects.count()
        for name, status in states.items():
            verdict.judge(name, status, await api.list_messages(name), effects)
        return verdict
