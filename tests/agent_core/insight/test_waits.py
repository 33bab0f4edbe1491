"""Waits in the timeline: for a retry, a person, the previous turn or a worker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, RetryPolicy, errors
from agent_core.domain.model_adapter import Usage
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.support.agents import AT_ONCE, agent_on, finished, waiting
from tests.support.spans import spans, told

LONG = 50.0
BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)


async def test_retries_of_a_model_step_and_of_a_tool_are_separate_spans(path: Path) -> None:
    @action_tool(retry=AT_ONCE)
    async def look(n: int) -> str:
        """Fail twice."""
        failures.append(n)
        if len(failures) < 3:
            raise OSError(f"Not yet {len(failures)}.")
        return "seen"

    failures: list[int] = []
    turns = [["Oh", Usage(5, 1, 6), BUSY], [ToolUse("look", {"n": 1}, id="c")], ["Well."]]
    async with agent_on(path, turns, tools=[look]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        model = await spans(api, thread, "model")
        assert [(s.status, s.attempt, s.error) for s in model] == [
            ("retried", 1, "Busy."),
            ("ok", 2, None),
            ("ok", 1, None),
        ]
        assert model[0].usage is not None
        assert (model[0].name, model[0].usage["total_tokens"]) == ("scripted", 6)
        tool = await spans(api, thread, "tool")
        assert [(s.id, s.status, s.error) for s in tool] == [
            ("tool:c:1", "retried", "Not yet 1."),
            ("tool:c:2", "retried", "Not yet 2."),
            ("tool:c:3", "ok", None),
        ]
        waits = await spans(api, thread, "wait")
        assert [(s.status, s.attempt) for s in waits] == [("ok", 2), ("ok", 2), ("ok", 3)]
        for wait, before, after in zip(waits[1:], tool, tool[1:], strict=False):
            assert (wait.started_at, wait.ended_at) == (before.ended_at, after.started_at)


@pytest.mark.parametrize("ends", ["stop", "none"])
async def test_retry_that_waits_is_told_with_its_time(path: Path, ends: str) -> None:
    later = RetryPolicy(max_attempts=2, initial_delay=LONG, jitter=0)

    @action_tool(retry=later)
    async def look() -> str:
        """Fail."""
        raise OSError("Not yet.")

    turns = [["Oh", BUSY], [ToolUse("look", id="c")]]
    async with agent_on(path, turns[:1], retry=later) as api:
        thread = await api.create_thread("Go")
        wait = await eventually(lambda: spans(api, thread, "wait"))
        assert wait[0].until is not None
        assert (wait[0].until - wait[0].started_at).total_seconds() == pytest.approx(LONG, abs=20)
        assert told(await spans(api, thread, "turn", "model", "wait"))[1:] == [
            ("model", "retried", 1, False),
            ("wait", "waiting", 2, False),
        ]
        await api.stop_thread(thread.id)
        assert [(s.kind, s.status) for s in await spans(api, thread, "turn", "model", "tool", "wait")] == [
            ("turn", "stopped"),
            ("model", "failed"),
        ]
    async with agent_on(path, turns[1:], tools=[look]) as api:
        thread = await api.create_thread("Go")
        wait = await eventually(lambda: spans(api, thread, "wait"))
        assert wait[0].until is not None
        assert (wait[0].until - wait[0].started_at).total_seconds() == pytest.approx(LONG, abs=20)
        if ends == "stop":
            await api.stop_thread(thread.id)
        now = "stopped" if ends == "stop" else "waiting"
        assert told(await spans(api, thread, "tool", "wait")) == [
            ("tool", "retried", 1, False),
            ("wait", now, 2, False),
        ]


async def test_approvals_and_a_stop_end_the_spans_that_wait_for_a_person(path: Path) -> None:
    @action_tool(needs_approval=True)
    async def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    @async_tool
    async def ask() -> None:
        """Ask."""

    uses = [ToolUse("pay", {"amount": n}, id=f"c{n}") for n in (1, 2, 3)]
    async with agent_on(path, [[*uses, ToolUse("ask", id="a")], ["Well."]], tools=[pay, ask]) as api:
        thread = await api.create_thread("Pay")
        await waiting(api, thread.id, 4)
        approvals = await spans(api, thread, "approval")
        assert [(s.status, s.tool_call_id) for s in approvals] == [("waiting", f"c{n}") for n in (1, 2, 3)]
        await api.approve_tool_calls(thread.id, ["c1"])
        await api.deny_tool_calls(thread.id, ["c2"], "Too dear.")
        await eventually(lambda: _status(api, thread, "tool:c1:1", "ok"))
        await eventually(lambda: _status(api, thread, "tool:a:1", "waiting"))
        await api.stop_thread(thread.id)
        found = {span.id: span for span in await spans(api, thread)}
        assert [found[f"approval:c{n}"].status for n in (1, 2, 3)] == ["ok", "denied", "stopped"]
        assert found["approval:c2"].error == "Too dear."
        assert found["tool:a:1"].status == "stopped"
        assert not {"tool:c2:0", "tool:c3:0"} & set(found)
        assert [s.status for s in found.values() if s.kind == "turn"] == ["stopped"]
        part = (await api.list_messages(thread.id))[-1].parts[1]
        assert part["approval"] == {"id": "c1", "approved": True}, "when it was given is no part's business"


async def _status(api: AgentApi, thread: Any, span_id: str, status: str) -> bool:
    return any(span.id == span_id and span.status == status for span in await spans(api, thread))


async def test_work_under_way_and_queued_is_told_apart(path: Path) -> None:
    go = asyncio.Event()

    async def turn(messages: list[dict[str, Any]]) -> list[Any]:
        await go.wait()
        return ["Yes."]

    async with agent_on(path, turn) as api:
        thread = await api.create_thread("1")
        await eventually(lambda: _status(api, thread, "model:1", "running"))
        await api.send_message(thread.id, "2", message_id="second", when_busy="queue")
        assert await _status(api, thread, "queued:second", "waiting")
        assert told(await spans(api, thread, "turn")) == [("turn", "running", 0, False)]
        await asyncio.sleep(0.15)
        go.set()
        await finished(api, thread)
        (queued,) = [s for s in await spans(api, thread, "queued") if s.id == "queued:second"]
        assert queued.status == "ok"
        assert told(await spans(api, thread, "turn")) == [("turn", "ok", 0, False)] * 2


async def test_absence_of_workers_is_told(path: Path) -> None:
    async with agent_on(path, [], runtime={"work": False}) as api:
        thread = await api.create_thread("Hi")
        assert [(s.kind, s.status) for s in await spans(api, thread)] == [
            ("turn", "running"),
            ("queued", "waiting"),
        ]
