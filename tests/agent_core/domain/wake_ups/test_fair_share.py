"""Shares of due work: nothing is left over, nobody is asked for more than it has room for, and all hold alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.domain.wake_ups.fair_share import Load, fair_part, fair_share

loads = st.lists(st.builds(Load, st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=6)


def shares(due: int, workers: list[Load]) -> list[int]:
    """Return the share of each worker."""
    return [
        fair_share(due, mine, workers[:place] + workers[place + 1 :]) for place, mine in enumerate(workers)
    ]


@pytest.mark.parametrize(
    ("due", "workers", "expected"),
    [
        (60, [Load(0, 64)] * 3, [20, 20, 20]),
        (1, [Load(0, 64)] * 3, [1, 1, 1]),  # the first one to look takes it
        (20, [Load(20, 44)] * 2, [10, 10]),  # the work of a third worker, which died
        (20, [Load(60, 4), Load(0, 64), Load(0, 64)], [0, 10, 10]),
        (9, [Load(0, 2), Load(0, 64)], [2, 7]),
        (7, [Load(2, 0), Load(0, 64)], [0, 7]),
        (500, [Load(0, 64), Load(10, 3)], [64, 3]),
        (0, [Load(0, 64)] * 2, [0, 0]),
        (5, [Load(0, 64)], [5]),
    ],
)
def test_share_of_due_work(due: int, workers: list[Load], expected: list[int]) -> None:
    assert shares(due, workers) == expected


@given(st.integers(0, 700), loads)
def test_shares_cover_the_due_work_and_level_the_workers(due: int, workers: list[Load]) -> None:
    found = shares(due, workers)
    assert all(0 <= share <= load.room for share, load in zip(found, workers, strict=True))
    assert sum(found) >= min(due, sum(load.room for load in workers)), "some of it is nobody's"
    assert sum(found) < due + len(workers), "rounded up, by less than one each"
    after = [load.held + share for load, share in zip(workers, found, strict=True)]
    level = max((held for held, share in zip(after, found, strict=True) if share), default=0)
    for held, share, load in zip(after, found, workers, strict=True):
        assert share == load.room or held >= level, "one could have taken more of what fuller ones take"


@given(loads)
def test_parts_level_what_all_workers_hold(workers: list[Load]) -> None:
    parts = [fair_part(mine, workers[:n] + workers[n + 1 :]) for n, mine in enumerate(workers)]
    assert sum(parts) >= sum(load.held for load in workers)
    roomy = [part for part, load in zip(parts, workers, strict=True) if part < load.held + load.room]
    assert len(set(roomy)) <= 1
