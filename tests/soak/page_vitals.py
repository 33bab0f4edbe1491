"""Samples of the resources of a tab and its server, and their growth.

A tab is sampled after a garbage collection: bytes of its scripts' objects, document nodes, listeners. A page
that keeps what it no longer shows grows with every round; otherwise its figures level off, and the line
through the later samples is flat.
"""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass, field

LIMITS = {"heap": 6.0, "nodes": 6_000.0, "listeners": 3_000.0, "server": 24.0}
"""Allowed growth in an hour: MB of the tab's scripts, nodes, listeners, MB of the server."""

ENOUGH = 8  # samples after the warm-up; a line through fewer is meaningless


@dataclass(frozen=True)
class Look:
    """One sample: seconds since the soak began, rounds so far, and the resources in use."""

    at: float
    rounds: int
    heap: float
    nodes: float
    listeners: float
    server: float

    def __str__(self) -> str:
        return (
            f"{self.at / 60:5.1f} min {self.rounds:5} rounds  heap {self.heap:6.2f} MB  nodes {self.nodes:6.0f}"
            f"  listeners {self.listeners:5.0f}  server {self.server:6.1f} MB"
        )


@dataclass
class PageVerdict:
    """Result of the samples, of which those in the first third of the time are the warm-up."""

    looks: list[Look] = field(default_factory=list[Look])

    def steady(self) -> list[Look]:
        """Return the samples after the warm-up."""
        return [look for look in self.looks if look.at >= self.looks[-1].at / 3]

    def growth(self, what: str) -> float:
        """Return the growth in an hour: the Theil-Sen slope of the later samples.

        A single sample that caught the page at work does not bend this line.
        https://en.wikipedia.org/wiki/Theil-Sen_estimator
        """
        pairs = itertools.combinations(self.steady(), 2)
        return 3600 * statistics.median(
            (getattr(b, what) - getattr(a, what)) / (b.at - a.at) for a, b in pairs
        )

    def complaints(self) -> list[str]:
        """Return the figures that exceed their limits."""
        if len(self.steady()) < ENOUGH:
            return [f"only {len(self.steady())} samples after the warm-up; {ENOUGH} are needed"]
        return [
            f"{what} grows by {self.growth(what):,.1f} an hour, more than {limit:,.0f}"
            for what, limit in LIMITS.items()
            if self.growth(what) > limit
        ]

    def table(self) -> str:
        """Return the figures as text."""
        lines = [f"after warm-up {self.steady()[0]}", f"at the end    {self.looks[-1]}"]
        if len(self.steady()) >= ENOUGH:
            grows = (f"{what} {self.growth(what):+,.1f}" for what in LIMITS)
            lines.append("an hour adds  " + "  ".join(grows))
        complaints = self.complaints()
        lines.append("STEADY" if not complaints else "NOT STEADY: " + "; ".join(complaints))
        return "\n".join(lines)
