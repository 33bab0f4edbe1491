"""Machines whose clocks are wrong share a server's clock: nothing is delayed or done twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent_core import RetryPolicy, errors
from agent_core.store.database import server_clock
from agent_core.store.database.server_clock import ServerClock
from agent_core.support.clock import SystemClock
from agent_core.testing import FakeClock, eventually
from tests.support.agents import QUICK, agent_on, finished, rows

WRONG = [15.0, -15.0]
FAR = 7.0  # seconds: half of the error, far above what a busy machine adds


class Wrong(SystemClock):
    """The machine's clock, some seconds ahead."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def now(self) -> float:
        """Return seconds since the Unix epoch, plus the error."""
        return super().now() + self.ahead


def test_offset_is_measured_and_does_not_jitter() -> None:
    machine = FakeClock(1000.0)
    clock = ServerClock(machine)

    def ask(server: float, took: float) -> float:
        machine.advance(took)
        return server

    clock.measure(lambda: ask(1020.0, 0.0))
    assert clock.now() == 1020.0
    clock.measure(lambda: ask(1020.3, 1.0))  # the answer may be half a second old
    assert clock.now() == 1021.0
    clock.measure(lambda: ask(1031.0, 1.0))
    assert clock.now() == 1031.5


def test_a_clock_that_was_set_is_doubtful_until_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = 5.0
    monkeypatch.setattr(server_clock.time, "monotonic", lambda: monotonic)
    machine = FakeClock(1000.0)
    clock = ServerClock(machine)
    assert clock.is_due
    clock.measure(lambda: 1000.0)
    assert not clock.is_due
    machine.advance(3600)
    assert clock.is_doubtful
    clock.measure(lambda: 1000.0)
    assert not clock.is_doubtful
    assert clock.now() == 1000.0
    monotonic += 2.0
    machine.advance(2.0)
    assert clock.is_due
    assert not clock.is_doubtful


@pytest.mark.postgresql  # a SQLite file has one machine, and so one clock
@pytest.mark.parametrize("ahead", WRONG)
async def test_wrong_clock_neither_takes_over_nor_loses_running_work(path: Path, ahead: float) -> None:
    """Each worker runs a step for longer than a lease, beside two workers with other clocks."""
    asked: Counter[str] = Counter()
    go = asyncio.Event()

    async def turn(messages: list[dict[str, Any]]) -> list[Any]:
        asked[messages[-1]["content"]] += 1
        await go.wait()
        return ["Well."]

    def on(clock: SystemClock) -> Any:
        return agent_on(path, turn, settings=QUICK, runtime={"clock": clock})

    async with on(SystemClock()) as right, on(Wrong(ahead)) as wrong, on(Wrong(-ahead)) as other:
        found = [await api.create_thread(name) for name, api in (("r", right), ("w", wrong), ("o", other))]
        await eventually(lambda: asked.total() == 3)
        beats = [row[1] for row in rows(path)["agent_wake_up"]]
        assert max(beats) - min(beats) < FAR, "all leases are by one clock"
        await asyncio.sleep(2 * QUICK.lease)
        go.set()
        for thread in found:
            assert (await finished(right, thread)).status == "completed"
    assert asked == {"r": 1, "w": 1, "o": 1}


@pytest.mark.postgresql
@pytest.mark.parametrize("ahead", WRONG)
async def test_retry_on_a_host_with_a_wrong_clock_is_due_on_time(path: Path, ahead: float) -> None:
    clocks = {"clock": Wrong(ahead), "work": False}
    busy = errors.ModelError("Busy.", kind="rate_limited", retryable=True, retry_after=60.0)
    policy = RetryPolicy(max_attempts=2, initial_delay=60, jitter=0)
    async with (
        agent_on(path, [], runtime=clocks) as sender,
        agent_on(path, [[busy]], retry=policy, settings=QUICK, runtime={"clock": Wrong(-ahead)}) as worker,
    ):
        thread = await sender.create_thread("Go")
        assert abs(thread.created_at.timestamp() - time.time()) < FAR

        def waits() -> list[float]:
            return [row[1] - time.time() for row in rows(path)["agent_wake_up"] if row[4] is None]

        await eventually(lambda: [seconds for seconds in waits() if seconds > 20])
        assert all(abs(seconds - 60) < FAR + 5 for seconds in waits())
        await worker.stop_thread(thread.id)


@pytest.mark.postgresql
async def test_a_clock_that_is_set_while_it_runs_is_measured_before_the_next_write(path: Path) -> None:
    clock = Wrong(0.0)
    async with agent_on(path, lambda _: ["Well."], runtime={"clock": clock}) as api:
        clock.ahead = 3600.0
        thread = await api.create_thread("Go")
        assert abs(thread.created_at.timestamp() - time.time()) < FAR
        assert (await finished(api, thread)).status == "completed"


@pytest.mark.postgresql
async def test_a_fake_clock_is_left_alone(path: Path) -> None:
    async with agent_on(path, [], runtime={"clock": FakeClock(1_000.0), "work": False}) as api:
        assert (await api.create_thread()).created_at.timestamp() == 1_000.0
