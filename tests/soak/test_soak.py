"""A soak of seconds: the visits end well, the verdict says what it should, and it can say no."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.soak.soak import Soak
from tests.soak.vitals import MB, Verdict, Vitals, slope
from tests.support.agents import prepare


async def test_a_short_soak_is_steady(tmp_path: Path) -> None:
    said: list[str] = []
    url = f"sqlite:///{prepare(tmp_path / 'agents.db')}"
    verdict = await Soak(url, seconds=6, every=2, rate=6, say=said.append).run()
    assert verdict.turns >= 10
    assert not verdict.complaints(), verdict.table()
    assert verdict.table().endswith("STEADY")
    assert said
    assert all("database" in line and "worker" in line for line in said)


async def test_leaked_handles_are_found(tmp_path: Path) -> None:
    left: list[int] = []

    def leak(_line: str) -> None:
        left.append(os.open(tmp_path, os.O_RDONLY))

    url = f"sqlite:///{prepare(tmp_path / 'agents.db')}"
    try:
        # Long enough for looks after the first leak: on a busy machine a round takes four seconds.
        verdict = await Soak(url, seconds=12, every=1, rate=4, say=leak).run()
    finally:
        for handle in left:
            os.close(handle)
    assert any("main: handles went from" in complaint for complaint in verdict.complaints()), verdict


def _verdict(**grows: float) -> Verdict:
    verdict = Verdict(warm=600, limit=6, turns=1)
    for minute in range(61):
        at = minute * 60
        now: dict[str, Any] = {
            "rss": 80 * MB,
            "blocks": 400_000,
            "handles": 20,
            "tasks": 1,
            "threads": 10,
            "cpu": at / 10,
        }
        for name, per_hour in grows.items():
            now[name] += int(per_hour * at / 3600)
        verdict.add("main", Vitals(at, **now))
    return verdict


def test_a_line_through_the_samples() -> None:
    verdict = _verdict(rss=12 * MB)
    assert slope(verdict.steady("main")) == pytest.approx(12, abs=0.1)
    assert verdict.complaints() == ["main: grows by 12.0 MB an hour, more than 6"]
    assert not _verdict(rss=4 * MB).complaints()


def test_objects_may_not_grow_even_where_the_memory_does_not() -> None:
    (complaint,) = _verdict(blocks=20_000).complaints()
    assert complaint == "main: its objects grow by 20,000 blocks an hour, more than 10,000"
    assert not _verdict(blocks=5_000).complaints()


@pytest.mark.parametrize("what", ["handles", "tasks", "threads"])
def test_one_object_more_is_too_many(what: str) -> None:
    assert what in _verdict(**{what: 2}).complaints()[0]


def test_growth_while_warming_up_is_no_leak() -> None:
    verdict = _verdict()
    verdict.samples["main"][0] = Vitals(0, 40 * MB, 100_000, 3, 1, 2, 0)
    assert not verdict.complaints()


def test_a_soak_without_visits_is_none() -> None:
    verdict = _verdict()
    verdict.turns = 0
    assert verdict.complaints() == ["nobody came"]
