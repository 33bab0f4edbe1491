"""Test that a soak of seconds is steady, and that a leak is reported."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import psutil

from tests.soak.page_vitals import ENOUGH, LIMITS, Look, PageVerdict
from tests.soak.soak import Soak
from tests.soak.vitals import Verdict, sample
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


def test_leaked_handles_are_found(tmp_path: Path) -> None:
    verdict, left = Verdict(warm=0, limit=6, turns=1), list[int]()
    for at in range(4):
        verdict.add("main", sample(psutil.Process(), at, tasks=0, blocks=0))
        left.append(os.open(tmp_path, os.O_RDONLY))
    for handle in left:
        os.close(handle)
    assert any("main: handles went from" in complaint for complaint in verdict.complaints()), verdict


def test_growth_of_a_page_and_of_its_server_is_found() -> None:
    looks = [Look(at, at, heap=9, nodes=900, listeners=90, server=300) for at in range(2 * ENOUGH)]
    assert PageVerdict(looks).table().endswith("\nSTEADY")
    for what in LIMITS:
        grown = [replace(look, **{what: getattr(look, what) + 2 * look.at}) for look in looks]
        (complaint,) = PageVerdict(grown).complaints()
        assert complaint.startswith(f"{what} grows by 7,200.0 an hour")
