"""The bridge to a distributed engine, which delivers the work and may lose, repeat or delay it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import (
    Agent,
    RetryPolicy,
    Runtime,
    Workpool,
    action_tool,
    create_workpool_bridge,
    define_internal_agent_api,
    errors,
)
from agent_core.store.database.transaction import Tx
from agent_core.testing import FakeClock, ScriptedModel, ToolUse, eventually
from agent_core.worker.bridge import Deliver
from agent_core.worker.procrastinate import ProcrastinateEngine
from tests.support.agents import EAGER, prepare, rows
from tests.support.databases import prepared


class Careless:
    """Engine between the runtimes of one process, as unreliable as `how` makes it.

    Args:
        how: returns, for each deferred key in order, the delays in seconds of its deliveries, negative for early
            ones; an empty list loses the key.
    """

    def __init__(self, how: Any) -> None:
        self.how = how
        self.deferred: list[str] = []
        self.delivered = 0
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def prepare(self) -> None: ...

    def defer(self, tx: Tx, key: str, run_at: float | None) -> None:
        self.deferred.append(key)
        wait = max(0.0, (run_at or tx.now) - tx.now)
        for delay in self.how(len(self.deferred)):
            tx.after(self._loop.call_later, max(0.0, wait + delay), self._keys.put_nowait, key)

    async def run(self, deliver: Deliver, concurrency: int) -> None:
        while True:
            await deliver(await self._keys.get())
            self.delivered += 1


@action_tool(retry=RetryPolicy(max_attempts=3, initial_delay=0.05, jitter=0))
async def flaky(ctx: Any) -> int:
    """Fail the first time."""
    if ctx.attempt == 1:
        raise ConnectionError("not yet")
    return ctx.attempt


def asked(done: list[str], who: str) -> ScriptedModel:
    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        done.append(who)
        last = messages[-1]
        return [ToolUse("flaky", {})] if last["role"] == "user" else [f"For {messages[0]['content']}."]

    return ScriptedModel(turn)


def assistant(model: ScriptedModel) -> Agent:
    return Agent("assistant", model, tools=[flaky])


async def test_a_retry_that_is_delivered_too_early_waits(tmp_path: Path) -> None:
    """An engine whose clock is ahead must not shorten the wait that a provider asked for."""
    busy = errors.ModelError("Slow down.", kind="rate_limited", retryable=True, retry_after=40.0)
    model = ScriptedModel([[busy], ["Hello"]])
    engine, clock = Careless(lambda n: [-3600.0, -3600.0]), FakeClock()
    url = f"sqlite:///{prepare(tmp_path / 'agents.db')}"
    async with Runtime(url, create_workpool_bridge(engine), settings=EAGER, clock=clock) as runtime:
        api = define_internal_agent_api(runtime, Agent("assistant", model))
        thread = await api.create_thread("Hi")
        await eventually(lambda: engine.delivered > 2)  # the first step once or twice, and its retry
        assert len(model.requests) == 1
        clock.advance(42)
        assert (await api.wait_until_idle(thread.id, 30)).status == "completed"


@pytest.mark.parametrize(
    "how",
    [lambda n: [0.0], lambda n: [], lambda n: [0.0, 0.0, 0.05], lambda n: [] if n % 2 else [0.2]],
    ids=["exact", "loses everything", "repeats", "late, and loses half"],
)
async def test_each_step_runs_once_whatever_the_engine_does(tmp_path: Path, how: Any) -> None:
    path = tmp_path / "agents.db"
    engine, done = Careless(how), list[str]()
    url = prepared(path)
    async with (
        Runtime(url, create_workpool_bridge(engine), settings=EAGER) as one,
        Runtime(url, create_workpool_bridge(engine), settings=EAGER) as two,
        Runtime(url, create_workpool_bridge(engine), work=False) as sender,
    ):
        define_internal_agent_api(one, assistant(asked(done, "one")))
        define_internal_agent_api(two, assistant(asked(done, "two")))
        api = define_internal_agent_api(sender, assistant(ScriptedModel([])))
        threads = [await api.create_thread(f"{n}") for n in range(8)]
        for number, thread in enumerate(threads):
            assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
            assert (await api.list_messages(thread.id))[-1].text == f"For {number}."
        assert len(done) == 16
        assert {key.split(":")[0] for key in engine.deferred} == {"step", "tool"}
    assert rows(path)["agent_wake_up"] == []


async def test_tools_with_a_workpool_of_their_own_stay_off_the_engine(tmp_path: Path) -> None:
    engine, done = Careless(lambda n: [0.0]), list[str]()
    url = f"sqlite:///{prepare(tmp_path / 'agents.db')}"
    async with Runtime(url, create_workpool_bridge(engine), Workpool(), settings=EAGER) as runtime:
        api = define_internal_agent_api(runtime, assistant(asked(done, "one")))
        thread = await api.create_thread("Go")
        await api.wait_until_idle(thread.id, 20)
    assert engine.deferred == [f"step:{thread.id}"]


async def test_an_engine_that_stops_is_started_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_core.worker.bridge._RESTART_INTERVAL", 0.05)

    class Weak(Careless):
        starts = 0

        async def run(self, deliver: Deliver, concurrency: int) -> None:
            self.starts += 1
            if self.starts == 1:
                raise ConnectionError("the engine's server is gone")
            await super().run(deliver, concurrency)

    engine, done = Weak(lambda n: [0.0]), list[str]()
    url = f"sqlite:///{prepare(tmp_path / 'agents.db')}"
    async with Runtime(url, create_workpool_bridge(engine)) as runtime:
        api = define_internal_agent_api(runtime, assistant(asked(done, "one")))
        await eventually(lambda: engine.starts == 2)
        thread = await api.create_thread("Go")
        assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
    assert "it restarts in" in caplog.text


def test_objects_that_are_no_engine_are_refused() -> None:
    with pytest.raises(errors.ValidationError, match="defer"):
        create_workpool_bridge(object())
    with pytest.raises(errors.ValidationError, match="PostgreSQL"):
        ProcrastinateEngine("sqlite:///agents.db")
