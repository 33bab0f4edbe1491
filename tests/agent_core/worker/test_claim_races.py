"""Claims that waited for the thread's lock: they act on the rows as they are after the wait."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, literal_column, select, table, update

from agent_core import AgentApi
from agent_core.store.database.sql import STREAM, WAKE_UP, P, Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.threads.thread_row import lock
from agent_core.store.turns import claims
from agent_core.store.turns.claims import Claim
from tests.support.agents import agent_on, rows

pytestmark = pytest.mark.postgresql  # SQLite begins no transaction while another one writes

AGENTS = {"assistant"}
_LEASE = Statement(update(WAKE_UP).values(worker=P("by")))
_WAITING = Statement(select(func.count()).select_from(table("pg_locks")).where(literal_column("NOT granted")))


def lease(tx: Tx, worker: str) -> None:
    tx.run(_LEASE, by=worker)


async def claimed_by_b_after(api: AgentApi, other: AgentApi, meanwhile: Any) -> Claim | None:
    """Let worker b claim the thread's step, and run `meanwhile` while the claim waits for the lock."""
    thread = await api.create_thread("Hi", thread_id="t")
    await api.store.writer.run(lease, "b")
    held = threading.Event()

    def hold(tx: Tx) -> None:
        lock(tx, thread.id)
        held.set()
        until = time.monotonic() + 20
        while tx.must(_WAITING)[0] == 0:
            assert time.monotonic() < until, "nobody waits"
            time.sleep(0.005)
        meanwhile(tx)

    holding = asyncio.create_task(api.store.writer.run(hold))
    await asyncio.to_thread(held.wait, 20)
    claim = await other.store.writer.run(claims.claim, thread.id, "b", AGENTS)
    await holding
    return claim


def attempts(path: Path) -> list[tuple[Any, ...]]:
    names = STREAM.c.keys()
    places = [names.index(name) for name in ("seq", "worker", "status")]
    return sorted(tuple(row[place] for place in places) for row in rows(path, STREAM)[STREAM.name])


async def test_a_lease_that_went_to_somebody_else_meanwhile(path: Path) -> None:
    def meanwhile(tx: Tx) -> None:
        lease(tx, "a")
        assert claims.claim(tx, "t", "a", AGENTS) is not None

    idle: dict[str, Any] = {"runtime": {"work": False}}
    async with agent_on(path, [], **idle) as api, agent_on(path, [], **idle) as other:
        assert await claimed_by_b_after(api, other, meanwhile) is None
    assert attempts(path) == [(1, "a", "streaming")]


async def test_an_attempt_that_was_opened_meanwhile_is_cut(path: Path) -> None:
    def meanwhile(tx: Tx) -> None:
        lease(tx, "a")
        assert claims.claim(tx, "t", "a", AGENTS) is not None
        lease(tx, "b")

    idle: dict[str, Any] = {"runtime": {"work": False}}
    async with agent_on(path, [], **idle) as api, agent_on(path, [], **idle) as other:
        claim = await claimed_by_b_after(api, other, meanwhile)
        assert claim is not None
        assert (claim.seq, claim.crashes) == (2, 0), "that `a` died is for the one who buries it to say"
    assert attempts(path) == [(1, "a", "partial"), (2, "b", "streaming")]
