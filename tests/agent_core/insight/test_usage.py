"""Token usage and cost of messages, threads and the whole database, including lost attempts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core import CallContext, Runtime, define_agent_api, errors
from agent_core.agent import Agent
from agent_core.domain.model_adapter import Usage
from agent_core.domain.usage import Tally
from agent_core.testing import FakeClock, ScriptedModel, eventually
from tests.support.agents import AT_ONCE, agent_on, finished, prepare
from tests.support.databases import prepared

BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)
DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


def answer(tokens: int, cost: float | None) -> list[Any]:
    return ["Yes.", Usage(tokens, 1, tokens + 1, cost=cost, cached_tokens=2, reasoning_tokens=3)]


async def test_usage_of_a_thread_is_summed_by_message_and_model(path: Path) -> None:
    lost = ["Ye", Usage(7, 0, 7, cost=0.25), BUSY]  # token counts came before the stream broke off
    async with agent_on(path, [answer(10, 0.5), lost, ["Y", BUSY], answer(20, 1.0)]) as api:
        thread = await finished(api, await api.create_thread("1"))
        await api.send_message(thread.id, "2")
        await finished(api, thread)
        used = await api.insight.usage(thread.id)
        _, first, _, second = await api.list_messages(thread.id)
    assert used.by_message == {
        first.id: Tally(1, 1, 10, 1, 11, 2, 3, 0.5),
        second.id: Tally(3, 2, 27, 1, 28, 2, 3, 1.25),
    }
    assert used.total == Tally(4, 3, 37, 2, 39, 4, 6, 1.75)
    assert used.by_model == {"scripted": used.total}
    assert json.loads(json.dumps(used.to_dict()))["total"]["total_tokens"] == 39
    assert first.usage == used.by_message[first.id].to_dict()
    assert second.usage is not None
    assert second.usage["total_tokens"] == 21, "a message tells of what it is made of"


async def test_usage_that_no_provider_told_is_unknown(path: Path) -> None:
    long = 30.0
    nan = Usage(1, 1, 2, cost=float("nan"))
    async with agent_on(path, [["Half", long], ["Yes."], ["Yes.", nan]]) as api:
        thread = await api.create_thread("1")

        async def begun() -> bool:
            return any(update.chunks for update in await api.stream_updates(thread.id))

        await eventually(begun)
        await api.stop_thread(thread.id)
        await api.send_message(thread.id, "2")
        await finished(api, thread)
        used = await api.insight.usage(thread.id)
        assert used.total == Tally(2, 0)
        assert used.by_model == {"scripted": Tally(1, 0), "unknown": Tally(1, 0)}
        await api.send_message(thread.id, "3")
        await finished(api, thread)
        assert (await api.insight.usage(thread.id)).total == Tally(3, 1, 1, 1, 2)
        message = (await api.list_messages(thread.id))[0]
        assert message.usage is None, "a person's message used nothing"


async def test_a_fork_has_used_nothing_yet(path: Path) -> None:
    async with agent_on(path, [answer(10, 0.5), answer(20, 1.0)]) as api:
        thread = await finished(api, await api.create_thread("1"))
        last = (await api.list_messages(thread.id))[-1]
        copy = await api.fork_thread(thread.id, last.id)
        assert (await api.insight.usage(copy.id)).total == Tally()
        await api.send_message(copy.id, "2")
        await finished(api, copy)
        assert (await api.insight.usage(copy.id)).total.cost == 1.0
        assert (await api.insight.usage_summary()).total.requests == 2


async def test_an_empty_thread_has_no_usage_and_an_unknown_one_is_refused(path: Path) -> None:
    async with agent_on(path, []) as api:
        thread = await api.create_thread()
        assert (await api.insight.usage(thread.id)).to_dict() == {
            "total": Tally().to_dict(),
            "by_message": {},
            "by_model": {},
        }
        assert (await api.insight.usage_summary()).total == Tally()
        with pytest.raises(errors.ThreadNotFoundError):
            await api.insight.usage("nobody")


async def test_the_summary_adds_up_usage_by_day_model_and_agent(path: Path) -> None:
    clock = FakeClock(1_750_000_000.0)  # 2025-06-15 15:06:40 UTC
    ada, bob = CallContext("ada"), CallContext("bob")
    async with Runtime(prepared(path), clock=clock) as runtime:
        cheap, dear = (
            define_agent_api(
                runtime,
                Agent(name, ScriptedModel(lambda _, cost=cost: answer(10, cost), name=model), retry=AT_ONCE),
            )
            for name, model, cost in (("helper", "small", 0.5), ("expert", "large", 2.0))
        )

        async def run(api: Any, ctx: CallContext) -> None:
            await finished(api, await api.create_thread("Hi", ctx=ctx))

        await run(cheap, ada)
        await run(dear, ada)
        await run(cheap, bob)
        clock.advance(DAY)
        await run(cheap, ada)

        all_of_it = await cheap.insight.usage_summary()
        assert (all_of_it.total.requests, all_of_it.total.cost) == (4, 3.5)
        assert [(day.isoformat(), tally.cost) for day, tally in all_of_it.by_day.items()] == [
            ("2025-06-15", 3.0),
            ("2025-06-16", 0.5),
        ]
        assert {name: tally.cost for name, tally in all_of_it.by_model.items()} == {
            "large": 2.0,
            "small": 1.5,
        }
        assert list(all_of_it.by_agent) == ["expert", "helper"]
        assert list(all_of_it.to_dict()["by_day"]) == ["2025-06-15", "2025-06-16"]

        assert (await cheap.insight.usage_summary(ctx=ada)).total.cost == 3.0
        assert (await cheap.insight.usage_summary(ctx=bob)).total.cost == 0.5
        assert (await cheap.insight.usage_summary(user_id="bob", ctx=ada)).total.cost == 0.5
        second_day = datetime(2025, 6, 16, tzinfo=UTC)
        assert (await cheap.insight.usage_summary(since=second_day)).total.cost == 0.5
        assert (await cheap.insight.usage_summary(until=second_day)).total.cost == 3.0
        both = await cheap.insight.usage_summary(since=second_day, until=second_day + timedelta(days=-1))
        assert both.total == Tally()
        for wrong in (datetime(2025, 6, 16), "2025-06-16", 5):  # noqa: DTZ001
            with pytest.raises(errors.ValidationError, match="time zone"):
                await cheap.insight.usage_summary(since=wrong)  # type: ignore[arg-type]
