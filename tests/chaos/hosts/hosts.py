"""Workers on hosts of their own, killed every few seconds, and a PostgreSQL that fails now and then.

No worker sees the lock files of another, so a death shows by the database only. Leases and `max_crashes` are the
defaults. Threads work in a closed loop, so that the rate of their turns is the throughput.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from agent_core import AgentApi, Runtime, errors
from agent_core.testing import eventually
from tests.chaos.harness import Harness
from tests.chaos.hosts.outages import Outages
from tests.chaos.hosts.takeovers import Takeovers
from tests.chaos.stories import Story
from tests.chaos.worker import Plan
from tests.chaos.world import Effects
from tests.support.servers.proxy import Proxy
from tests.tools.postgresql import PostgreSQL

T = TypeVar("T")
_TURNS = 4  # turns of a thread, then a new one takes its place
_RECOVERY = 60.0  # seconds after an outage until every thread must have gone on


async def insist(action: Callable[[], Awaitable[T]]) -> T:
    """Repeat an action of a person while the database is away; it must be idempotent."""
    while True:
        try:
            return await action()
        except errors.DatabaseError:
            await asyncio.sleep(0.5)


class Turns(Story):
    """Send one short prompt after the other."""

    name: ClassVar[str] = "turns"

    def __init__(
        self, api: AgentApi, effects: Effects, thread_id: str, ends: list[float], over: Callable[[], bool]
    ) -> None:
        super().__init__(api, effects, thread_id, random.Random(0))
        self.ends_at, self._over = ends, over

    async def act(self) -> None:
        await insist(lambda: self.api.create_thread(thread_id=self.thread_id))
        for number in range(_TURNS):
            if self._over():
                return
            prompt = f"short {self.thread_id}-{number}"
            await insist(lambda prompt=prompt: self.send(prompt, message_id=prompt, when_busy="queue"))
            thread = await insist(self.idle)
            if thread.status != "completed":
                return
            self.ends_at.append(time.monotonic())


@dataclass
class Hosts(Harness):
    """One run on several hosts.

    Attributes:
        server: the server.
        name: name of the database.
        engine: "builtin" or "procrastinate".
        seconds: length of each part of the run: calm, with kills, calm.
        kill_every: seconds between two kills.
        outages: names of outages, which follow one after the other.
        outage_seconds: how long each lasts.
        pace: seconds of each small wait of the model; a turn has four to six.
    """

    server: PostgreSQL | None = None
    name: str = "postgres"
    engine: str = "builtin"
    seconds: float = 60.0
    kill_every: float = 5.0
    outages: Sequence[str] = ()
    outage_seconds: float = 10.0
    pace: float = 0.25
    figures: list[str] = field(default_factory=list[str])
    ends: list[list[float]] = field(default_factory=list[list[float]])
    stranded: int = 0  # threads that did not go on after an outage
    _watches: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def __post_init__(self) -> None:
        assert self.server is not None
        self.settings, self.stories = {}, ()
        self.takeovers = Takeovers(self.server, self.name)
        self.database = self.server.url(self.name)
        self._proxy: Proxy | None = None
        self._poisons_begin, self._poisons_end = asyncio.Event(), asyncio.Event()
        self.kills = 0

    def make_plan(self) -> Plan:
        database = self.database
        if self.outages and self.server is not None:
            self._proxy = Proxy(self.server.port)
            database = f"postgresql+psycopg://postgres@127.0.0.1:{self._proxy.port}/{self.name}"
        return Plan(self.folder, self.pace, 0.005, database=database, is_host=True, engine=self.engine)

    def open_sender(self) -> Runtime:
        assert self.database is not None
        return Runtime(self.database, work=False, **replace(self.plan, database=self.database).pools)

    async def _live(self, api: AgentApi, place: int) -> None:
        """Work through one thread after the other, in a closed loop."""
        self.ends.append(ends := list[float]())
        number = 0
        while not self._over:
            story = Turns(api, self.plan.effects, f"turns{place}-{number}", ends, lambda: self._over)
            self.lived.append(story)
            await story.act()
            number += 1

    async def _poison(self, api: AgentApi) -> None:
        await self._poisons_begin.wait()
        began = time.monotonic()
        await super()._poison(api)
        self._poisons_end.set()
        if self.poisons:
            self.figures.append(f"poison: sealed after {time.monotonic() - began:.0f} s")

    async def _kill(self) -> None:
        """Let the parts of the run follow one after the other."""
        await eventually(lambda: len(self.ends) == self.alive and all(self.ends), self.patience)
        if self.kill_every:
            await self._compare()
            await asyncio.gather(*self._watches)  # the successors of the dead have started
        if self._proxy is not None and self.server is not None:
            outages = Outages(self.server, self._proxy, self.outage_seconds)
            for name in self.outages:
                await self._outage(name, outages.all[name])
        self._poisons_begin.set()
        await eventually(lambda: self._poisons_end.is_set(), self.patience)

    async def _compare(self) -> None:
        """Measure the throughput before, with and after kills."""
        rates = [await self._rate("calm", asyncio.sleep(self.seconds))]
        rates.append(await self._rate("kills", self._kills()))
        await asyncio.sleep(self.kill_every)
        rates.append(await self._rate("calm", asyncio.sleep(self.seconds)))
        share = rates[1] / max(0.01, (rates[0] + rates[2]) / 2)
        self.figures += [f"throughput with kills: {share:.0%}", self.takeovers.table()]

    async def _rate(self, name: str, part: Coroutine[Any, Any, None]) -> float:
        began, cpu, load = time.monotonic(), busy_seconds(), os.getloadavg()[0]
        await part
        ended = time.monotonic()
        turns = sum(bisect_left(ends, ended) - bisect_left(ends, began) for ends in self.ends)
        rate = turns / (ended - began)
        used = (busy_seconds() - cpu) / (ended - began)
        self.figures.append(f"{name}: {rate:.1f} turns/s  load {load:.1f}  machine {used:.1f} cores")
        return rate

    async def _kills(self) -> None:
        for _ in range(max(1, round(self.seconds / self.kill_every))):
            busy = await asyncio.to_thread(self.takeovers.busy)
            places = [n for n, child in enumerate(self._children) if child.pid in busy]
            place = self._random.choice(places or range(len(self._children)))
            self._victim = child = self._children[place]
            assert child.pid is not None
            child.kill()
            child.join()
            self._watches.append(
                asyncio.create_task(asyncio.to_thread(self.takeovers.watch, child.pid, time.monotonic()))
            )
            self._replace(place)
            self.kills += 1
            await asyncio.sleep(self.kill_every)

    async def _outage(self, name: str, happen: Callable[[], Awaitable[None]]) -> None:
        began = time.monotonic()
        await happen()
        over = time.monotonic()

        def all_went_on() -> bool:
            return all(ends and ends[-1] > over for ends in self.ends)

        with contextlib.suppress(AssertionError, TimeoutError):
            await eventually(all_went_on, _RECOVERY)
        stuck = sum(not ends or ends[-1] <= over for ends in self.ends)
        self.stranded += stuck
        self.figures.append(
            f"{name}: lasted {over - began:.1f} s, all threads went on after {time.monotonic() - over:.1f} s"
            + (f", except {stuck}" if stuck else "")
        )
        print(self.figures[-1], flush=True)


def busy_seconds() -> float:
    """Return the seconds that the machine's cores have worked, of all programs."""
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")
