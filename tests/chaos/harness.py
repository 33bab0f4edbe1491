"""SIGKILL harness: kill workers on one database at random while they work, then count the damage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from agent_core import AgentApi, Runtime, define_internal_agent_api
from agent_core.support.settings import Settings
from agent_core.testing import eventually
from tests.chaos.branches import Branch
from tests.chaos.poison import Poison
from tests.chaos.stops import Interrupt, Resume, Stop
from tests.chaos.stories import Approval, Flaky, Outside, Queue, Story
from tests.chaos.verdict import Verdict
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import make_agent

STORIES: tuple[type[Story], ...] = (Story, Approval, Outside, Flaky, Queue, Stop, Resume, Interrupt, Branch)


@dataclass
class Harness:
    """One run of the harness.

    Attributes:
        folder: folder of the run's files.
        kills: number of kills; the first one hits a tool that must not run twice.
        workers: number of workers at a time.
        pauses: share of kills that are a SIGSTOP past the lease and a SIGCONT instead.
        alone: whether one worker creates its threads itself and nobody else touches the database.
        alive: threads under way at any time, so that every kill hits work.
        database: URL of the database; None means a SQLite file in the folder.
        settings: settings of the runtimes that differ from the defaults.
        patience: seconds after the last kill until a running thread counts as stuck.
        seed: seed of the random choices, such as the moments of the kills.
        pause: shortest and longest time between two kills, in seconds.
        stories: stories that people act out.
        rounds: least number of stories of each kind.
        poisons: number of turns that kill each process that runs them, one after the other; 0 if `alone`.
    """

    folder: Path
    kills: int = 40
    workers: int = 3
    pauses: float = 0.0
    alone: bool = False
    patience: float = 60.0
    seed: int | None = None
    pause: tuple[float, float] = (0.2, 1.4)
    stories: tuple[type[Story], ...] = STORIES
    rounds: int = 1
    poisons: int = 1
    alive: int = 12
    database: str | None = None
    settings: dict[str, Any] = field(
        default_factory=lambda: dict[str, Any]({"lease": 2.0, "heartbeat": 0.5, "reconcile": 0.5})
    )
    _children: list[ForkServerProcess] = field(default_factory=list[ForkServerProcess])
    lived: list[Story] = field(default_factory=list[Story])
    _victim: ForkServerProcess | None = None
    _poisoned: bool = False

    async def run(self) -> Verdict:
        """Run the workers, the stories and the kills, and return the verdict."""
        began, self._verdict = time.monotonic(), Verdict()
        self.plan = self.make_plan()
        self._random, self._over = random.Random(self.seed), False
        async with self.open_sender() as runtime:
            api = define_internal_agent_api(runtime, make_agent(self.plan.effects, 0))
            self._children = [await asyncio.to_thread(spawn, self.plan) for _ in range(self.workers)]
            keeping = asyncio.create_task(self._keep())
            try:
                lives = [self._live(api, n) for n in range(0 if self.alone else self.alive)]
                people = asyncio.gather(*lives, self._poison(api))
                await self._kill()
                await eventually(lambda: self.alone or self._all_lived(), self.patience)
                self._over = True
                await self._wait(people)
                await self._count(api)
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
                for child in self._children:
                    child.kill()
                    child.join()
        self._verdict.kills, self._verdict.seconds = self.kills, time.monotonic() - began
        return self._verdict

    def make_plan(self) -> Plan:
        """Return the instructions for the workers."""
        return Plan(self.folder, 0.01, feed=self.alone, settings=self.settings, database=self.database)

    def open_sender(self) -> Runtime:
        """Return the runtime of the people."""
        return Runtime(self.plan.url, settings=Settings(**self.settings), work=False)

    async def _live(self, api: AgentApi, place: int) -> None:
        """Act out one story after the other, each on a new thread."""
        number = place
        while not self._over:
            kind = self.stories[number % len(self.stories)]
            thread = await api.create_thread(thread_id=f"{kind.name}{place}-{number}")
            story = kind(api, self.plan.effects, thread.id, self._random)
            self.lived.append(story)
            await story.act()
            number += 1

    async def _poison(self, api: AgentApi) -> None:
        """Act out the poison stories, whose turns kill their process."""
        for number in range(0 if self.alone else self.poisons):
            thread = await api.create_thread(thread_id=f"poison{number}")
            story = Poison(api, self.plan.effects, thread.id, self._random)
            self.lived.append(story)
            self._poisoned = True
            await story.act()
        self._poisoned = False

    async def _keep(self) -> None:
        """Restart workers that a poison has killed; no worker ends in another way."""
        while True:
            for place, child in enumerate(self._children):
                if child.exitcode is not None and child is not self._victim:
                    if child.exitcode == -signal.SIGKILL and self._poisoned:
                        self._verdict.deaths += 1
                    else:
                        self._verdict.lose(f"a worker ended by itself, with {child.exitcode}")
                    self._replace(place)
            await asyncio.sleep(0.02)

    def _replace(self, place: int) -> None:
        self._children[place].join()
        # Not in a thread: a start polls for ended children, too, and if two threads read a child's exit code
        # at once, one of them gets 255 (multiprocessing.popen_forkserver).
        self._children[place] = spawn(self.plan)

    async def _wait(self, people: asyncio.Future[list[None]]) -> None:
        """Wait until all stories end, but no longer than `patience`; unfinished stories are judged, too."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(people, self.patience)

    def _all_lived(self) -> bool:
        lived = Counter(type(story) for story in self.lived)
        return all(lived[kind] >= self.rounds for kind in self.stories) and self._has_paid()

    def _has_paid(self) -> bool:
        """Return whether an approved call has run: each approval races a denial, and may lose for a while."""
        return Approval not in self.stories or any(
            line.startswith("pay ") for line in self.plan.effects.lines()
        )

    async def _kill(self) -> None:
        for number in range(1, self.kills + 1):
            await asyncio.sleep(self._random.uniform(*self.pause))
            place = self._random.randrange(len(self._children))
            if number == 1 and not self.alone and Story in self.stories:
                victim = await self.plan.effects.trap.victim()
                place = [child.pid for child in self._children].index(victim)
            child = self._children[place]
            assert child.pid is not None
            if child.exitcode is not None:
                continue  # a poison has just killed the worker
            if int(number * self.pauses) > int((number - 1) * self.pauses):
                self._verdict.pauses += 1
                os.kill(child.pid, signal.SIGSTOP)
                await asyncio.sleep(3.0)
                os.kill(child.pid, signal.SIGCONT)
                continue
            self._victim = child
            child.kill()
            self._replace(place)

    async def _count(self, api: AgentApi) -> None:
        if self.alone:
            self.lived = await self._of_children(api)
        self._verdict.hear(self.plan.effects.lines())
        for story in self.lived:
            thread = await api.get_thread(story.thread_id)
            if thread is None:
                self._verdict.lose(f"{story.thread_id} is gone")
            else:
                story.judge(self._verdict, thread, await api.list_messages(thread.id))

    async def _of_children(self, api: AgentApi) -> list[Story]:
        """Wait for the threads that the worker has created itself; return a `Story` for each."""
        deadline = time.monotonic() + self.patience
        names = [thread.id for thread in await api.list_threads(100_000)]
        for name in names:
            with contextlib.suppress(TimeoutError):
                await api.wait_until_idle(name, max(0.1, deadline - time.monotonic()))
        return [Story(api, self.plan.effects, name, self._random) for name in names]
