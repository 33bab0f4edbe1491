"""The verdict on a tab says what it should, and it can say no."""

from __future__ import annotations

import pytest

from tests.soak.page_vitals import LIMITS, Look, PageVerdict


def verdict(**per_hour: float) -> PageVerdict:
    """A soak of half an hour whose figures grow by so much an hour."""
    held = {"heap": 9.0, "nodes": 2000.0, "listeners": 300.0, "server": 250.0}
    looks = [
        Look(at, 2 * at, **{what: start + per_hour.get(what, 0) * at / 3600 for what, start in held.items()})
        for at in range(0, 1801, 30)
    ]
    return PageVerdict(looks)


def test_a_flat_line_is_steady() -> None:
    assert verdict().complaints() == []
    assert verdict().table().endswith("\nSTEADY")


@pytest.mark.parametrize("what", LIMITS)
def test_each_figure_has_its_limit(what: str) -> None:
    assert not verdict(**{what: 0.9 * LIMITS[what]}).complaints()
    (complaint,) = verdict(**{what: 1.1 * LIMITS[what]}).complaints()
    assert complaint.startswith(f"{what} grows by")


def test_the_warm_up_and_one_odd_sample_are_no_leak() -> None:
    odd = verdict()
    for place in (*range(15), 40):
        old = odd.looks[place]
        odd.looks[place] = Look(old.at, old.rounds, 2 + place, 100 * place, place, 10 * place)
    assert not odd.complaints()


def test_a_few_samples_say_nothing() -> None:
    few = PageVerdict(verdict().looks[:6])
    assert "samples after the warm-up" in few.complaints()[0]
    assert "NOT STEADY" in few.table()
