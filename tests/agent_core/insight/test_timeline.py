"""Timeline: a span for each attempt, whichever process ran it and however it ended."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent_core import RetryPolicy, Runtime, define_internal_agent_api, errors
from agent_core.domain.end_reasons import IN_DOUBT, PASSED_OVER, PROCESS_ENDED, RELEASED, STOPPED, End
from agent_core.domain.model_adapter import Usage
from agent_core.domain.spans import Span
from agent_core.store.database.sql import CALL
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import make_agent
from tests.support.agents import QUICK, agent_on, finished, lose_leases, prepare, rows, tool_parts
from tests.support.spans import spans, told

LONG = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


async def test_timeline_of_an_ordinary_turn_has_a_span_for_each_attempt(path: Path) -> None:
    @action_tool
    async def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    usage = Usage(10, 2, 12, cost=0.5)
    turns = [["Look.", ToolUse("add", {"a": 1, "b": 2}, id="c1"), ToolUse("no", id="c2"), usage], ["3."]]
    async with agent_on(path, turns, tools=[add]) as api:
        thread = await finished(api, await api.create_thread("Add"))
        turn, *_ = found = await spans(api, thread, "turn", "model", "tool")
        by_id = {span.id: span for span in found}
        worker = api.store.process
        (_, reply) = await api.list_messages(thread.id)
    assert set(by_id) == {f"turn:{reply.id}", "model:1", "model:2", "tool:c1:1", "tool:c2:0"}
    assert (turn.kind, turn.status, turn.message_id) == ("turn", "ok", reply.id)
    assert turn.usage is not None
    assert (turn.usage["requests"], turn.usage["metered"], turn.usage["total_tokens"]) == (2, 1, 12)
    first = by_id["model:1"]
    assert (first.status, first.name, first.worker, first.attempt) == ("ok", "scripted", worker, 1)
    assert first.usage is not None
    assert (first.usage["total_tokens"], first.usage["cost"]) == (12, 0.5)
    call, unknown = by_id["tool:c1:1"], by_id["tool:c2:0"]
    assert (call.status, call.name, call.worker, call.parent) == ("ok", "add", worker, "model:1")
    assert (unknown.status, unknown.worker) == ("failed", None)
    assert "no tool" in (unknown.error or "")


async def test_a_worker_that_closes_gives_its_step_back(path: Path) -> None:
    async with agent_on(path, [["Half", LONG]]) as api:
        thread = await api.create_thread("Hi")

        async def says() -> bool:
            return any(update.chunks for update in await api.stream_updates(thread.id))

        await eventually(says)
    async with agent_on(path, [["Whole."]]) as api:
        await finished(api, thread)
        model = await spans(api, thread, "model")
        assert told(model) == [("model", "released", 1, False), ("model", "ok", 1, True)]
        assert model[0].error == RELEASED.text


@pytest.mark.parametrize("again", [True, False])
async def test_a_tool_whose_worker_is_gone_has_a_lost_and_a_recovered_span(path: Path, again: bool) -> None:
    @action_tool(rerun_on_interrupt=again)
    async def look() -> str:
        """Hang, the first time."""
        ran.append(1)
        await asyncio.sleep(LONG if len(ran) == 1 else 0)
        return "seen"

    ran: list[int] = []

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Well."] if messages[-1]["role"] == "tool" else [ToolUse("look", id="c")]

    async with agent_on(path, turn, tools=[look], settings=QUICK) as api:
        thread = await api.create_thread("Go")
        await eventually(lambda: ran)
        await lose_leases(api)
        async with agent_on(path, turn, tools=[look], settings=QUICK) as heir:
            await finished(heir, thread)
            first, second = await spans(heir, thread, "tool")
            assert (first.status, first.worker, first.error) == (
                "lost",
                api.store.process,
                PROCESS_ENDED.text,
            )
            assert (second.status, second.worker, second.recovered) == (
                "ok" if again else "in doubt",
                heir.store.process,
                True,
            )
            assert second.error == (None if again else IN_DOUBT.text)
            assert first.ended_at == second.started_at


@pytest.mark.parametrize("end", [STOPPED, PASSED_OVER, PROCESS_ENDED, RELEASED, IN_DOUBT])
async def test_words_of_a_tool_or_a_model_never_tell_how_it_ended(path: Path, end: End) -> None:
    """An error with the text of a built-in end is still an error, in each attempt's span and in the part."""

    @action_tool(retry=RetryPolicy(max_attempts=2, initial_delay=0.01))
    async def look() -> str:
        """Look."""
        raise RuntimeError(end.text)

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        failure = errors.ModelError(end.text, kind="invalid_request", retryable=False)
        return [failure] if messages[-1]["role"] == "tool" else [ToolUse("look", id="c")]

    async with agent_on(path, turn, tools=[look]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert thread.status == "failed"
        assert told(await spans(api, thread, "tool")) == [
            ("tool", "retried", 1, False),
            ("tool", "failed", 2, False),
        ]
        (*_, model) = await spans(api, thread, "model")
        assert (model.status, model.error, model.end_reason) == ("failed", end.text, "error")
        (part,) = await tool_parts(api, thread)
        assert (part["errorText"], (await api.list_messages(thread.id))[-1].end_reasons) == (
            end.text,
            {"c": "error"},
        )


async def test_the_spans_of_a_slow_tool_say_that_it_timed_out(path: Path) -> None:
    @action_tool(timeout=0.05)
    async def wait() -> None:
        """Wait."""
        await asyncio.sleep(LONG)

    @action_tool
    async def raise_timeout() -> None:
        """Raise."""
        raise TimeoutError("upstream")

    turns = [[ToolUse("wait", id="a"), ToolUse("raise_timeout", id="b")], ["Well."]]
    async with agent_on(path, turns, tools=[wait, raise_timeout]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        ends = {span.tool_call_id: span.end_reason for span in await spans(api, thread, "tool")}
    assert ends == {"a": "timed_out", "b": "error"}


@pytest.mark.parametrize("point", ["delta.after", "tool.claimed"])
def test_timeline_tells_of_a_killed_process_and_of_its_heir(tmp_path: Path, point: str) -> None:
    """After a real SIGKILL in mid-step or mid-tool, the timeline names the death and the new process."""
    prepare(tmp_path / "agents.db")
    nth = 2 if point.startswith("delta") else 1  # the first delta must have been committed
    for die_at, code in (((point, nth), -signal.SIGKILL), (None, 0)):
        child = spawn(Plan(tmp_path, pace=0.005, send=("first",), die_at=die_at))
        child.join(60)
        assert child.exitcode == code
    found = asyncio.run(_read(tmp_path))
    kind = "tool" if point.startswith("tool") else "model"
    died = [span for span in found if span.status == "lost"]
    heirs = [span for span in found if span.recovered]
    # Both calls of the step may have been claimed when the process died.
    assert 1 <= len(died) == len(heirs) <= 2
    assert {span.kind for span in (*died, *heirs)} == {kind}
    assert {span.worker for span in died}.isdisjoint({span.worker for span in heirs})
    assert len({span.worker for span in found if span.worker}) == 2
    for before, after in zip(died, heirs, strict=True):
        if kind == "tool":
            before, after = (
                next(s for s in spans_ if s.tool_call_id == before.tool_call_id) for spans_ in (died, heirs)
            )
            assert after.status == ("in doubt" if after.name == "charge" else "ok")
        assert before.ended_at is not None
        assert before.started_at <= before.ended_at <= after.started_at
        if kind == "model":
            assert before.ended_at < after.started_at, "it ended with its last words, not with the takeover"
    (turn,) = [span for span in found if span.kind == "turn"]
    assert turn.status == "ok"


async def _read(folder: Path) -> list[Span]:
    plan = Plan(folder)
    async with Runtime(plan.url, work=False) as runtime:
        return await spans(define_internal_agent_api(runtime, make_agent(plan.effects, 0)), plan.thread_id)


async def test_timeline_of_an_unknown_thread_is_refused_and_of_a_new_one_empty(path: Path) -> None:
    async with agent_on(path, []) as api:
        with pytest.raises(errors.ThreadNotFoundError):
            await api.timeline("nobody")
        assert await spans(api, await api.create_thread()) == []


async def test_a_failing_tool_does_not_make_its_row_grow_for_ever(path: Path) -> None:
    often = RetryPolicy(max_attempts=55, initial_delay=0, jitter=0)

    @action_tool(retry=often)
    async def look() -> str:
        """Fail at length."""
        raise OSError("x" * 3_000)

    async with agent_on(path, [[ToolUse("look", id="c")], ["Well."]], tools=[look]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        tool = await spans(api, thread, "tool")
        assert [span.attempt for span in tool] == list(range(5, 56))
        assert tool[-1].status == "failed"
        assert all(len(span.error or "") == 2_000 for span in tool[:-1])
    assert datetime.now(UTC) > tool[-1].started_at
    (row,) = rows(path, CALL)["agent_tool_call"]
    assert sum(len(str(value)) for value in row) < 150_000
