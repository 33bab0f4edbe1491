"""A soak of seconds: it is steady, and says no when something leaks."""

from __future__ import annotations

import os
from pathlib import Path

from tests.soak.soak import Soak
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
