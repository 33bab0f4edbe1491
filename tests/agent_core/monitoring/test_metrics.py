"""The metrics of a process: counted from what runs in it, and from the database, in Prometheus' text format."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent_core import AgentApi, Workpool, action_tool
from agent_core.domain.events.run_events import StepEnded
from agent_core.domain.model_adapter import Usage
from agent_core.errors import ModelError
from agent_core.monitoring import Metrics
from agent_core.testing import ToolUse, eventually
from tests.support.agents import AT_ONCE, EAGER, agent_on, finished, held, live, runtime_of

LINE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\S+)$')


@asynccontextmanager
async def metered(path: Path, turns: Any, **options: Any) -> AsyncGenerator[tuple[AgentApi, Metrics]]:
    async with agent_on(path, turns, **options) as api:
        metrics = Metrics(runtime_of(api))
        yield api, metrics
        metrics.close()


async def numbers(metrics: Metrics) -> dict[str, float]:
    """Return each series with its labels; every line must be of the format."""
    found: dict[str, float] = {}
    declared: set[str] = set()
    for line in (await metrics.text()).splitlines():
        if line.startswith("# "):
            declared.add(line.split(" ")[2])
            continue
        match = LINE.match(line)
        assert match, line
        assert match[1] in declared, f"{line} comes before its TYPE"
        assert line.rpartition(" ")[0] not in found, f"{line} is there twice"
        found[line.rpartition(" ")[0]] = float(match[3])
    return found


async def test_steps_tools_and_turns_are_counted(path: Path) -> None:
    @action_tool
    async def works() -> str:
        """Work."""
        return "done"

    @action_tool
    async def fails() -> str:
        """Fail."""
        raise RuntimeError("no")

    turns = [
        [ToolUse("works"), ToolUse("fails")],
        ["Done.", Usage(10, 2, 12)],
        [ModelError("no", kind="auth")],
    ]
    async with metered(path, turns, tools=[works, fails]) as (api, metrics):
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        await api.send_message(thread.id, "Again")
        assert (await finished(api, thread)).status == "failed"
        found = await numbers(metrics)
    assert found['agent_core_model_steps_total{model="scripted",outcome="committed"}'] == 2
    assert found['agent_core_model_steps_total{model="scripted",outcome="failed"}'] == 1
    assert found['agent_core_tool_calls_total{tool="works",outcome="succeeded"}'] == 1
    assert found['agent_core_tool_calls_total{tool="fails",outcome="failed"}'] == 1
    assert found['agent_core_turns_total{end="completed"}'] == 1
    assert found['agent_core_turns_total{end="failed"}'] == 1
    assert found['agent_core_tokens_total{model="scripted",type="input"}'] == 10
    assert found["agent_core_retries_total"] == 0
    assert found["agent_core_takeovers_total"] == 0
    assert found['agent_core_due_wake_ups{kind="step"}'] == 0


async def test_retries_and_stops_are_counted(path: Path) -> None:
    turns = [[ModelError("busy", kind="rate_limited", retryable=True)], ["Begin. ", 600.0]]
    async with metered(path, turns, retry=AT_ONCE) as (api, metrics):
        thread = await api.create_thread("Hi")
        await live(api, thread.id, "Begin.")
        await api.stop_thread(thread.id)

        async def stopped() -> bool:
            return 'agent_core_turns_total{end="stopped"}' in await numbers(metrics)

        await eventually(stopped)
        cancelled = 'agent_core_model_steps_total{model="scripted",outcome="cancelled"}'

        async def ended() -> bool:
            return cancelled in await numbers(metrics)

        await eventually(ended)
        assert (await numbers(metrics))["agent_core_retries_total"] == 1


async def test_queue_is_shown_by_kind(path: Path) -> None:
    go = asyncio.Event()

    def slow() -> Any:
        yield "Begin. "
        yield from held(go)

    one = {"workpool": Workpool(1)}
    async with metered(path, lambda _: slow(), runtime=one, settings=EAGER) as (api, metrics):
        threads = [await api.create_thread("Hi")]
        await live(api, threads[0].id, "Begin.")
        threads += [await api.create_thread("Hi") for _ in range(3)]
        found = await numbers(metrics)
        assert found['agent_core_running{kind="step"}'] == 1
        assert found['agent_core_max_parallelism{kind="step"}'] == 1
        waiting = found['agent_core_waiting{kind="step"}'] + found['agent_core_due_wake_ups{kind="step"}']
        assert waiting == 3
        go.set()
        for thread in threads:
            await finished(api, thread)


async def test_due_work_without_a_worker_waits_in_the_database(path: Path) -> None:
    async with metered(path, [], runtime={"work": False}) as (api, metrics):
        await api.create_thread("Hi")
        await api.create_thread("Hi")
        found = await numbers(metrics)
        assert found['agent_core_due_wake_ups{kind="step"}'] == 2
        assert found['agent_core_oldest_due_seconds{kind="step"}'] >= 0
        assert found['agent_core_due_wake_ups{kind="tool"}'] == 0


async def test_takeover_is_counted_by_the_process_that_makes_it(path: Path) -> None:
    async with metered(path, lambda _: ["Yes."], settings=EAGER) as (api, metrics):
        thread = await api.create_thread("Hi", auto_start=False)
        await finished(api, thread)
        # A lease of a worker on another machine, which is gone.
        await api.store.writer.run(lambda tx: tx.wake.enqueue(tx, "step:gone", tx.now - 1))
        await api.store.writer.run(lambda tx: tx.cursor.execute(GONE))

        async def taken() -> bool:
            return (await numbers(metrics))["agent_core_takeovers_total"] == 1

        await eventually(taken)


GONE = "UPDATE agent_wake_up SET worker = 'elsewhere' WHERE id = 'step:gone'"


def ended(model: str, cost: float | None) -> StepEnded:
    usage = Usage(10, 5, 15, cost=cost, cached_tokens=4)
    return StepEnded("t", "m", 1, "assistant", model, 1, 100.0, 101.5, "committed", usage)


async def test_any_model_name_is_escaped_and_their_number_is_bounded(path: Path) -> None:
    async with metered(path, []) as (api, metrics):
        for name in ('a"b', "a\\b", "a\nb", "é", ""):
            api.store.observers.publish(ended(name, 0.25))
        for number in range(2000):
            api.store.observers.publish(ended(f"model {number}", None))
        found = await numbers(metrics)
        assert found['agent_core_cost_usd_total{model="a\\"b"}'] == 0.25
        assert found['agent_core_tokens_total{model="a\\nb",type="cached"}'] == 4
        assert found['agent_core_model_steps_total{model="other",outcome="other"}'] == 1005
        assert len(found) < 10_000


async def test_an_observer_that_fails_affects_nothing(path: Path) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no")

    async with agent_on(path, [["Yes."]]) as api:
        api.store.observers.add(fail)
        assert (await finished(api, await api.create_thread("Hi"))).status == "completed"


async def test_metrics_contain_nothing_that_people_or_models_wrote(path: Path) -> None:
    async with metered(path, [["A secret answer."]]) as (api, metrics):
        thread = await api.create_thread("A secret question.", title="A secret title")
        await finished(api, thread)
        text = await metrics.text()
    assert "secret" not in text
    assert thread.id not in text
