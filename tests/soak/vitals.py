"""What a process holds, sampled while nobody visits, and what the samples add up to."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
from dataclasses import dataclass, field

import psutil

MB = 1 << 20
BLOCKS = 10_000
"""Blocks of memory an hour by which a process may grow: at five turns a second one in every other turn."""

_ENOUGH = 10  # samples after the warm-up; through fewer a line says nothing

_libc = ctypes.CDLL(None) if os.name == "posix" else None


@dataclass(frozen=True)
class Vitals:
    """One sample of one process.

    Attributes:
        at: seconds since the soak began.
        rss: resident bytes.
        blocks: of memory in use by Python's objects, up to half a kilobyte each.
        handles: open file descriptors.
        tasks: asyncio tasks.
        threads: threads of the operating system.
        cpu: processor seconds so far.
    """

    at: float
    rss: int
    blocks: int
    handles: int
    tasks: int
    threads: int
    cpu: float

    def __str__(self) -> str:
        counts = f"handles {self.handles}  tasks {self.tasks}  threads {self.threads}"
        return f"{self.rss / MB:6.1f} MB  blocks {self.blocks:,}  {counts}"


def give_back() -> None:
    """Let go of garbage, and of what the C library keeps for later: what is left is held by somebody.

    How much that library keeps depends on the busiest moment so far; a soak would find each of them to be
    a leak. https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    gc.collect()
    if (trim := getattr(_libc, "malloc_trim", None)) is not None:  # glibc has it
        trim(0)


def sample(process: psutil.Process, at: float, tasks: int, blocks: int) -> Vitals:
    """Look at a process from outside; it has counted its tasks and blocks itself."""
    with process.oneshot():
        times = process.cpu_times()
        rss, threads = process.memory_info().rss, process.num_threads()
        return Vitals(at, rss, blocks, process.num_fds(), tasks, threads, times.user + times.system)


def slope(samples: list[Vitals]) -> float:
    """Return by how many MB an hour the resident memory grows: the line of least squares."""
    return _slope(samples, [s.rss / MB for s in samples])


def slope_of_blocks(samples: list[Vitals]) -> float:
    """Return by how many blocks an hour Python's objects grow."""
    return _slope(samples, [s.blocks for s in samples])


def _slope(samples: list[Vitals], values: list[float]) -> float:
    return statistics.linear_regression([s.at for s in samples], values).slope * 3600


@dataclass
class Verdict:
    """What a soak found.

    Attributes:
        warm: seconds that count as the warm-up.
        limit: MB an hour by which a process may grow.
        samples: of each process, in order; the first one is taken before the first visit.
        failures: visits that did not end as they should.
        turns: visits that did.
    """

    warm: float
    limit: float
    samples: dict[str, list[Vitals]] = field(default_factory=dict[str, list[Vitals]])
    failures: list[str] = field(default_factory=list[str])
    turns: int = 0

    def add(self, name: str, vitals: Vitals) -> None:
        """Take in one sample."""
        self.samples.setdefault(name, []).append(vitals)

    def steady(self, name: str) -> list[Vitals]:
        """Return the samples since the warm-up, without the first of all; at least the last two."""
        samples = self.samples[name]
        steady = [s for s in samples[1:] if s.at >= self.warm]
        return steady if len(steady) > 1 else samples[-2:]

    def complaints(self) -> list[str]:
        """Return what is wrong; nothing where all is well."""
        found = [f"a visit failed: {failure}" for failure in self.failures[:10]]
        if not self.turns:
            found.append("nobody came")
        for name in self.samples:
            first, *_, last = steady = self.steady(name)
            for what in ("handles", "tasks", "threads"):
                before, after = getattr(first, what), getattr(last, what)
                if after > before:
                    found.append(f"{name}: {what} went from {before} to {after}")
            if len(steady) < _ENOUGH:
                continue
            if slope(steady) > self.limit:
                found.append(f"{name}: grows by {slope(steady):.1f} MB an hour, more than {self.limit:g}")
            if (blocks := slope_of_blocks(steady)) > BLOCKS:
                found.append(
                    f"{name}: its objects grow by {blocks:,.0f} blocks an hour, more than {BLOCKS:,}"
                )
        return found

    def table(self) -> str:
        """Return the figures, for people."""
        lines = [f"{self.turns} turns, {len(self.failures)} failed"]
        for name in self.samples:
            first, *_, last = steady = self.steady(name)
            grows = "too short for a slope"
            if len(steady) >= _ENOUGH:
                grows = f"{slope(steady):+.1f} MB/h, {slope_of_blocks(steady):+,.0f} blocks/h"
            cpu = (last.cpu - first.cpu) / max(last.at - first.at, 1e-9)
            lines += [
                f"{name:7} after warm-up {first}",
                f"{'':7} at the end    {last}   {grows}, {cpu:.0%} of a core",
            ]
        complaints = self.complaints()
        lines.append("STEADY" if not complaints else "NOT STEADY: " + "; ".join(complaints))
        return "\n".join(lines)
