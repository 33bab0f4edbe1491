"""Samples of a process's resources, taken while no visit is going on, and their verdict."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
from dataclasses import dataclass, field

import psutil

MB = 1 << 20
BLOCKS = 10_000
"""Memory blocks by which a process may grow in an hour: one every other turn, at five turns a second."""

_ENOUGH = 10  # samples after the warm-up; a line through fewer is meaningless

_libc = ctypes.CDLL(None) if os.name == "posix" else None


@dataclass(frozen=True)
class Vitals:
    """One sample of one process.

    Attributes:
        at: seconds since the soak began.
        rss: resident bytes.
        blocks: memory blocks in use by Python's objects, up to half a kilobyte each.
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
    """Collect garbage and return the C library's free memory to the system, so that only used memory is left.

    The amount that the library keeps depends on the busiest moment so far, so a soak would report each new
    peak as a leak. https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    gc.collect()
    if (trim := getattr(_libc, "malloc_trim", None)) is not None:  # glibc only
        trim(0)


def sample(process: psutil.Process, at: float, tasks: int, blocks: int) -> Vitals:
    """Sample a process from outside; the process has counted its tasks and blocks itself."""
    with process.oneshot():
        times = process.cpu_times()
        rss, threads = process.memory_info().rss, process.num_threads()
        return Vitals(at, rss, blocks, process.num_fds(), tasks, threads, times.user + times.system)


def slope(samples: list[Vitals]) -> float:
    """Return the growth of the resident memory in MB an hour, by least squares."""
    return _slope(samples, [s.rss / MB for s in samples])


def slope_of_blocks(samples: list[Vitals]) -> float:
    """Return the growth of Python's objects in blocks an hour."""
    return _slope(samples, [s.blocks for s in samples])


def _slope(samples: list[Vitals], values: list[float]) -> float:
    return statistics.linear_regression([s.at for s in samples], values).slope * 3600


@dataclass
class Verdict:
    """Result of a soak.

    Attributes:
        warm: seconds of the warm-up.
        limit: MB an hour by which a process may grow.
        samples: samples of each process, in order; the first one is taken before the first visit.
        failures: visits that failed.
        turns: number of visits that completed their turn.
    """

    warm: float
    limit: float
    samples: dict[str, list[Vitals]] = field(default_factory=dict[str, list[Vitals]])
    failures: list[str] = field(default_factory=list[str])
    turns: int = 0

    def add(self, name: str, vitals: Vitals) -> None:
        """Add one sample of a process."""
        self.samples.setdefault(name, []).append(vitals)

    def steady(self, name: str) -> list[Vitals]:
        """Return the samples after the warm-up, except the very first one, but at least the last two."""
        samples = self.samples[name]
        steady = [s for s in samples[1:] if s.at >= self.warm]
        return steady if len(steady) > 1 else samples[-2:]

    def complaints(self) -> list[str]:
        """Return the failures and the figures that exceed their limits."""
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
        """Return the figures as text."""
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
