"""Every pair of state and event, legal or illegal, against the real store.

A legal pair leads to the state given by `agent_core.domain.states`; an illegal one misses and changes no row.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, insert, update

from agent_core import Runtime, errors
from agent_core.domain.end_reasons import STOPPED, failed
from agent_core.domain.states import (
    CALL,
    OPEN_CALLS,
    OUTCOMES,
    STREAM,
    THREAD,
    CallStatus,
    StreamStatus,
    ThreadStatus,
)
from agent_core.store.database import sql as tables
from agent_core.store.database.sql import Statement
from agent_core.store.database.transaction import FenceLost, Tx
from agent_core.store.threads.messages import NewMessage
from agent_core.store.tool_calls import approvals, calls, outcomes, timeouts
from agent_core.store.tool_calls.calls import ClaimedCall, NewCall
from agent_core.store.turns import branches, claims, steps, streams, turns
from agent_core.store.turns.claims import Claim
from tests.support.agents import rows
from tests.support.databases import prepared

WORKER = "w"
CLAIM = Claim("t", 1, "reply", 1, None, 0, "a", None, 2)
CLAIMED = ClaimedCall("t", "c", "tool", {}, 1, False, "a", None, 1)
RETRY = {"attempt": 2, "max_attempts": 3, "next_at": 9e9, "error": "x", "kind": "network"}
MISSED = (FenceLost, errors.ThreadBusyError, errors.ToolCallFinishedError)


def message(name: str) -> NewMessage:
    return NewMessage(name, "user", [{"type": "text", "text": "Hi"}], {})


def commit(tx: Tx, new_calls: list[NewCall]) -> Any:
    parts = [{"type": "text", "text": "x"}]
    return steps.commit(tx, CLAIM, parts=parts, chunks=[], new_calls=new_calls, usage=None, first=True)


def decide(tx: Tx, approved: bool) -> None:
    approvals.decide(tx, "t", ["c"], approved=approved, reason=None, args=None)


def show(tx: Tx, role: str) -> None:
    aside = Statement(
        insert(tables.MESSAGE).values(
            thread_id="t",
            id="aside",
            position=1,
            role=role,
            parts="[]",
            queued=False,
            created_at=1.0,
            branch=9,
        )
    )
    tx.run(aside)
    branches.select_branch(tx, "t", "aside")


ON_THREAD: dict[str, Callable[[Tx], Any]] = {
    "send": lambda tx: turns.send(tx, "t", message("m2"), "reject"),
    "resume": lambda tx: turns.resume(tx, "t", None),
    "claim": lambda tx: claims.claim(tx, "t", WORKER, {"a"}),
    "retry": lambda tx: steps.retry(tx, CLAIM, [], RETRY),
    "call_tools": lambda tx: commit(tx, [NewCall("c", "tool", "{}", CallStatus.PENDING)]),
    "tools_done": lambda tx: calls.advance(tx, "t"),
    "finish": lambda tx: commit(tx, []),
    "fail": lambda tx: steps.fail(tx, CLAIM, "x", "network", []),
    "stop": lambda tx: turns.stop(tx, "t"),
    "show": lambda tx: show(tx, "user"),
    "show_unfinished": lambda tx: show(tx, "assistant"),
}
ON_STREAM: dict[str, Callable[[Tx], Any]] = {
    "commit": lambda tx: streams.ask_commit(tx, "t", 1, [], None, None)(),
    "cut": lambda tx: streams.cut(tx, "t", 1, 2, STOPPED),
    "replace": lambda tx: streams.replace_partial(tx, "t", 2),
    "keep": lambda tx: streams.keep_partial(tx, "t"),
}
ON_CALL: dict[str, Callable[[Tx], Any]] = {
    "approve": lambda tx: decide(tx, True),
    "deny": lambda tx: decide(tx, False),
    "claim": lambda tx: calls.claim(tx, "t", "c", WORKER, {"a"}),
    "retry": lambda tx: calls.retry(tx, CLAIMED, failed("x"), 9e9),
    "hand_over": lambda tx: timeouts.hand_over(tx, CLAIMED, None),
    "succeed": lambda tx: outcomes.finish(tx, "t", "c", output="1"),
    "fail": lambda tx: outcomes.finish(tx, "t", "c", error=failed("x")),
    "close": lambda tx: outcomes.close_open(tx, "t", STOPPED),
}


class Bench:
    """Thread with an open stream, whose rows can be put into any state."""

    def __init__(self, runtime: Runtime, path: Path) -> None:
        self._runtime, self._path = runtime, path

    async def do(self, function: Callable[[Tx], Any]) -> Any:
        return await self._runtime.store.writer.run(function)

    async def put(self, table: Table, **values: Any) -> None:
        await self.do(lambda tx: tx.run(Statement(update(table).values(**values))))

    async def give_leases(self) -> None:
        for key in ("step:t", "tool:t:c"):
            await self.do(lambda tx, key=key: tx.wake.enqueue(tx, key))
        await self.put(tables.WAKE_UP, worker=WORKER)

    def status(self, table: Table) -> list[str]:
        place = table.columns.keys().index("status")
        return [row[place] for row in self.rows()[table.name]]

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return rows(self._path)

    async def check(self, table: Table, do: Callable[[Tx], Any], leads_to: str | None) -> None:
        """Run `do` and check that the first row of `table` is now `leads_to`; None: no row changed."""
        before = self.rows()
        try:
            await self.do(do)
        except MISSED:
            assert leads_to is None
        after = self.rows()
        if leads_to is None:
            assert after == before
        else:
            assert self.status(table)[0] == leads_to
            assert after != before


@pytest.fixture
async def bench(path: Path) -> AsyncGenerator[Bench]:
    async with Runtime(prepared(path), work=False) as runtime:
        bench = Bench(runtime, path)
        given: dict[str, Any] = {"agent": "a", "title": None, "user_id": None, "metadata": {}, "run": True}
        await bench.do(lambda tx: turns.create(tx, "t", messages=[message("m1")], **given))
        await bench.put(tables.THREAD, reply_id="reply")
        await bench.give_leases()
        await bench.do(lambda tx: claims.claim(tx, "t", WORKER, {"a"}))
        yield bench


def pairs(table: dict[str, dict[Any, Any]], states: Any) -> list[Any]:
    return [
        pytest.param(event, state, table[event].get(state), id=f"{state}+{event}")
        for event in table
        for state in states
    ]


@pytest.mark.parametrize(("event", "state", "leads_to"), pairs(THREAD, ThreadStatus))
async def test_thread_event_leads_to_the_state_of_the_table(
    bench: Bench, event: str, state: str, leads_to: str | None
) -> None:
    await bench.put(tables.THREAD, status=state)
    if event == "resume" and state == ThreadStatus.COMPLETED:
        await bench.put(tables.STREAM, status="superseded")  # no step to repeat: the turn continues from "m1"
    await bench.check(tables.THREAD, ON_THREAD[event], leads_to)


@pytest.mark.parametrize(("event", "state", "leads_to"), pairs(STREAM, StreamStatus))
async def test_stream_event_leads_to_the_state_of_the_table(
    bench: Bench, event: str, state: str, leads_to: str | None
) -> None:
    await bench.put(tables.STREAM, status=state, parts='[{"type":"text","text":"x"}]')
    await bench.check(tables.STREAM, ON_STREAM[event], leads_to)


@pytest.mark.parametrize(("event", "state", "leads_to"), pairs(CALL, CallStatus))
async def test_call_event_leads_to_the_state_of_the_table(
    bench: Bench, event: str, state: str, leads_to: str | None
) -> None:
    await bench.do(ON_THREAD["call_tools"])
    await bench.give_leases()
    await bench.put(tables.CALL, status=state, attempt=1)
    if state in OUTCOMES:
        await bench.put(tables.CALL, output="7", ended_at=1.0)
    await bench.check(tables.CALL, ON_CALL[event], leads_to)


def test_every_event_is_walked() -> None:
    assert (set(ON_THREAD), set(ON_STREAM), set(ON_CALL)) == (set(THREAD), set(STREAM), set(CALL))


def test_outcomes_are_final() -> None:
    """No event leaves an outcome, and every open call can still get one."""
    for moves in CALL.values():
        assert not set(moves) & OUTCOMES
    for state in OPEN_CALLS:
        assert state in CALL["close"]


@pytest.mark.parametrize("event", ["retry", "call_tools", "finish", "fail"])
async def test_an_old_fence_misses(bench: Bench, event: str) -> None:
    await bench.put(tables.THREAD, seq=2)
    await bench.check(tables.THREAD, ON_THREAD[event], None)


@pytest.mark.parametrize("event", ["retry", "hand_over"])
async def test_an_old_attempt_misses(bench: Bench, event: str) -> None:
    await bench.do(ON_THREAD["call_tools"])
    await bench.put(tables.CALL, status="running", attempt=2)
    await bench.check(tables.CALL, ON_CALL[event], None)


@pytest.mark.parametrize(("table", "event"), [(tables.THREAD, "claim"), (tables.CALL, "claim")])
async def test_a_claim_without_the_lease_misses(bench: Bench, table: Table, event: str) -> None:
    await bench.do(ON_THREAD["call_tools"])
    await bench.give_leases()
    await bench.put(tables.WAKE_UP, worker="somebody else")
    await bench.check(table, (ON_THREAD if table is tables.THREAD else ON_CALL)[event], None)
