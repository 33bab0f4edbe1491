"""Share due work between workers. Pure functions.

Work goes to the workers that hold least, so that all hold about the same; one without room takes none, and the
others take its part. See docs/decisions/0024-how-work-spreads.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Load(NamedTuple):
    """Work of one worker: how much it holds, and how much more it has room for."""

    held: int
    room: int


def fair_share(due: int, mine: Load, others: Sequence[Load]) -> int:
    """Return how much of the `due` work the worker with the load `mine` takes.

    It is rounded up: when every worker takes its share, nothing is left that any of them has room for.
    """
    loads = [mine, *others]
    low, high = 0, max(load.held + load.room for load in loads)
    while low < high:  # find the smallest level up to which all of the work fits
        level = (low + high) // 2
        if sum(_below(level, load) for load in loads) < due:
            low = level + 1
        else:
            high = level
    return _below(low, mine)


def fair_part(mine: Load, others: Sequence[Load], due: int = 0) -> int:
    """Return how much work the worker would hold if all work, held and `due`, were redistributed."""
    empty = [Load(0, load.held + load.room) for load in (mine, *others)]
    total = due + sum(load.held for load in (mine, *others))
    return fair_share(total, empty[0], empty[1:])


def _below(level: int, load: Load) -> int:
    return min(max(level - load.held, 0), load.room)
