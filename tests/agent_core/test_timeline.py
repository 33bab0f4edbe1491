"""The timeline: each attempt is a span, in whichever process it ran and however it ended."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, RetryPolicy, Runtime, define_internal_agent_api, errors
from agent_core.llm.base import Usage
from agent_core.runner.tool_calls import IN_DOUBT
from agent_core.store.rows import CALL
from agent_core.testing import ToolUse, eventually
from agent_core.timeline import PROCESS_ENDED, RESTARTING, Span
from agent_core.tools import action_tool, async_tool
from tests.agent_core.support import AT_ONCE, QUICK, agent_on, finished, lose_leases, prepare, rows, waiting
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import make_agent

LONG = 30.0
BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


async def spans(api: AgentApi, thread: Any, *kinds: str) -> list[Span]:
    """Return the spans of these kinds, after checking what holds for every timeline."""
    found = await api.timeline(thread if isinstance(thread, str) else thread.id)
    ids = [span.id for span in found]
    assert len(set(ids)) == len(ids)
    assert [span.started_at for span in found] == sorted(span.started_at for span in found)
    for span in found:
        assert span.parent is None or span.parent in ids, span
        assert (span.ended_at is None) == (span.status in ("running", "waiting")), span
        assert span.seconds is None or span.seconds >= 0, span
        assert span.to_dict()["started_at"] == span.started_at.isoformat()
    return [span for span in found if not kinds or span.kind in kinds]


def told(found: list[Span]) -> list[tuple[str, str, int, bool]]:
    return [(span.kind, span.status, span.attempt, span.recovered) for span in found]


async def test_an_ordinary_turn(path: Path) -> None:
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
        worker = api.runtime.worker
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


async def test_retries_of_a_model_step_and_of_a_tool(path: Path) -> None:
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
async def test_while_retries_wait(path: Path, ends: str) -> None:
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
        assert (wait[0].until - wait[0].started_at).total_seconds() == pytest.approx(LONG, abs=1)
        assert told(await spans(api, thread, "turn", "model", "wait"))[1:] == [
            ("model", "retried", 1, False),
            ("wait", "waiting", 2, False),
        ]
        await api.stop_thread(thread.id)
        assert [(s.kind, s.status) for s in await spans(api, thread)] == [
            ("turn", "stopped"),
            ("model", "failed"),
        ]
    async with agent_on(path, turns[1:], tools=[look]) as api:
        thread = await api.create_thread("Go")
        wait = await eventually(lambda: spans(api, thread, "wait"))
        assert wait[0].until is not None
        assert (wait[0].until - wait[0].started_at).total_seconds() == pytest.approx(LONG, abs=1)
        if ends == "stop":
            await api.stop_thread(thread.id)
        now = "stopped" if ends == "stop" else "waiting"
        assert told(await spans(api, thread, "tool", "wait")) == [
            ("tool", "retried", 1, False),
            ("wait", now, 2, False),
        ]


async def test_a_person_is_asked_and_a_person_stops(path: Path) -> None:
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


async def test_under_way_and_queued(path: Path) -> None:
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


async def test_no_worker_is_there(path: Path) -> None:
    async with agent_on(path, [], runtime={"work": False}) as api:
        thread = await api.create_thread("Hi")
        assert [(s.kind, s.status) for s in await spans(api, thread)] == [
            ("turn", "running"),
            ("queued", "waiting"),
        ]


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
        assert model[0].error == RESTARTING


@pytest.mark.parametrize("again", [True, False])
async def test_a_tool_whose_worker_is_gone(path: Path, again: bool) -> None:
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
            assert (first.status, first.worker, first.error) == ("lost", api.runtime.worker, PROCESS_ENDED)
            assert (second.status, second.worker, second.recovered) == (
                "ok" if again else "in doubt",
                heir.runtime.worker,
                True,
            )
            assert second.error == (None if again else IN_DOUBT)
            assert first.ended_at == second.started_at


@pytest.mark.parametrize("point", ["delta.after", "tool.claimed"])
def test_a_killed_process_and_who_went_on(tmp_path: Path, point: str) -> None:
    """A real SIGKILL in mid-step and in mid-tool: the timeline tells of the death and of the heir."""
    prepare(tmp_path / "agents.db")
    for die_at, code in (((point, 1), -signal.SIGKILL), (None, 0)):
        child = spawn(Plan(tmp_path, pace=0.005, send=("first",), die_at=die_at))
        child.join(30)
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
    (turn,) = [span for span in found if span.kind == "turn"]
    assert turn.status == "ok"


async def _read(folder: Path) -> list[Span]:
    plan = Plan(folder)
    async with Runtime(plan.url, work=False) as runtime:
        return await spans(define_internal_agent_api(runtime, make_agent(plan.effects, 0)), plan.thread_id)


async def test_a_thread_that_is_not_there_and_an_empty_one(path: Path) -> None:
    async with agent_on(path, []) as api:
        with pytest.raises(errors.ThreadNotFoundError):
            await api.timeline("nobody")
        assert await spans(api, await api.create_thread()) == []


async def test_a_failing_tool_does_not_make_its_row_grow_for_ever(path: Path) -> None:
    often = RetryPolicy(max_attempts=70, initial_delay=0, jitter=0)

    @action_tool(retry=often)
    async def look() -> str:
        """Fail at length."""
        raise OSError("x" * 10_000)

    async with agent_on(path, [[ToolUse("look", id="c")], ["Well."]], tools=[look]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        tool = await spans(api, thread, "tool")
        assert [span.attempt for span in tool] == list(range(20, 71))
        assert tool[-1].status == "failed"
        assert all(len(span.error or "") == 2_000 for span in tool[:-1])
    assert datetime.now(UTC) > tool[-1].started_at
    (row,) = rows(path, CALL)["agent_tool_call"]
    assert sum(len(str(value)) for value in row) < 150_000
