"""The soak: a runtime and a child process under steady load, sampled every minute."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psutil

from agent_core import AgentApi, Runtime, define_internal_agent_api
from agent_core.domain.states import RUNNING
from agent_core.store.database.open import database_path, parse_url
from agent_core.testing import eventually
from tests.soak.load import Load, make_agent
from tests.soak.vitals import MB, Verdict, give_back, sample
from tests.support.processes.children import FORKED

_ASKED = -1  # set in place of the child's count of tasks to request a new count
_HANDS = 6  # threads of an event loop's default executor; all are created before the first sample
_WATCHERS = 2  # threads of the scheduler, which also read


@dataclass
class Soak:
    """One soak.

    Attributes:
        url: URL of the database.
        seconds: duration of the load.
        every: seconds between two samples.
        rate: visits per second.
        limit: MB an hour by which a process may grow after the first sixth of the time.
        say: called with each line to print.
    """

    url: str
    seconds: float
    every: float = 60.0
    rate: float = 5.0
    limit: float = 6.0
    say: Callable[[str], Any] = print

    async def run(self) -> Verdict:
        """Run the soak and return the verdict."""
        self._verdict = Verdict(self.seconds / 6, self.limit)
        async with Runtime(self.url) as runtime:
            await fill_pools(runtime)
            api = define_internal_agent_api(runtime, make_agent())
            self._counts = FORKED.Array("q", [0, 0])
            child = FORKED.Process(target=work, args=(self.url, self._counts), daemon=True)
            child.start()
            assert child.pid is not None
            self._processes = {"main": psutil.Process(), "worker": psutil.Process(child.pid)}
            try:
                await self._counted(60)  # the child's start is not part of the soak
                self._began = time.monotonic()
                await self._watch(api, runtime)
            finally:
                child.terminate()
                await asyncio.to_thread(child.join, 60)
        if child.exitcode != 0:
            self._verdict.failures.append(f"the worker ended with {child.exitcode}")
        return self._verdict

    async def _watch(self, api: AgentApi, runtime: Runtime) -> None:
        load = Load(api, self.rate)
        await self._look()
        while (left := self._began + self.seconds - time.monotonic()) > 0:
            await load.run(min(self.every, max(left, 0.1)))
            states = Counter(thread.status in RUNNING for thread in await api.list_threads(10_000))
            await load.calm()
            self._verdict.turns, self._verdict.failures = load.turns, load.failures
            await self._look()
            self.say(self._line(states[True], states[False]))

    async def _look(self) -> None:
        """Take a sample once the readers have left, the hooks have run and deleted work has ended."""
        await asyncio.sleep(1.0)
        give_back()
        await self._counted(20)
        at = time.monotonic() - self._began
        for name, process in self._processes.items():
            tasks, blocks = _count() if name == "main" else self._counts
            self._verdict.add(name, sample(process, at, tasks, blocks))

    async def _counted(self, timeout: float) -> None:
        """Wait until the child has counted."""
        self._counts[0] = _ASKED
        await eventually(lambda: self._counts[0] != _ASKED, timeout)

    def _line(self, running: int, idle: int) -> str:
        path = database_path(parse_url(self.url))
        files = [path, path.with_name(path.name + "-wal")] if path else []
        size = sum(file.stat().st_size for file in files if file.exists()) / MB
        at = self._verdict.samples["main"][-1].at / 60
        head = f"{at:5.1f} min  {self._verdict.turns:6} turns  running {running} idle {idle}  database {size:.1f} MB"
        tails = (f"{name} {samples[-1]}" for name, samples in self._verdict.samples.items())
        return " | ".join([head, *tails])


async def fill_pools(runtime: Runtime) -> None:
    """Create at once the threads and connections that a process would create over time."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_HANDS))
    all_there = threading.Barrier(_HANDS)
    await asyncio.gather(*(asyncio.to_thread(all_there.wait, 20) for _ in range(_HANDS)))
    with contextlib.ExitStack() as stack:
        # More than the pool keeps. While other connections hold locks, SQLite does not close the file of a
        # connection beyond the pool's size, but gives it to the next one.
        for _ in range(_HANDS + _WATCHERS):
            stack.enter_context(runtime.store.reads.session()).connection()


def _count() -> tuple[int, int]:
    return len(asyncio.all_tasks()), sys.getallocatedblocks()


def work(url: str, counts: Any) -> None:
    """Run the child, which works beside the main process until SIGTERM."""
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(_work(url, counts))


async def _work(url: str, counts: Any) -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    parent = os.getppid()
    async with Runtime(url) as runtime:
        await fill_pools(runtime)
        define_internal_agent_api(runtime, make_agent())
        while not ended.is_set() and os.getppid() == parent:
            if counts[0] == _ASKED:
                give_back()
                counts[:] = _count()
            await asyncio.sleep(0.1)
