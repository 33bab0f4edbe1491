"""Repeat measurements, take their medians and print them."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence

Figures = tuple[float, ...]


def heading(text: str) -> None:
    """Print the title of a measurement."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def machine() -> str:
    """Describe this machine and its Python."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def row(name: str, value: float, unit: str, note: str = "") -> None:
    """Print one figure."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    print(f"  {name:<46}{value:>12,.{digits}f} {unit:<10} {note}".rstrip(), flush=True)


def interleaved(runs: Sequence[Callable[[], Figures]], times: int) -> list[Figures]:
    """Call each of `runs` in turn, `times` times; return the medians of their figures.

    The runs alternate, so that a machine that slows down half-way slows down all of them.
    """
    samples: list[list[Figures]] = [[] for _ in runs]
    for _ in range(times):
        for run, sample in zip(runs, samples, strict=True):
            sample.append(run())
    return [tuple(statistics.median(column) for column in zip(*sample, strict=True)) for sample in samples]
