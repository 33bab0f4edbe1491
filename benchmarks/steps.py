"""Durable steps per second: 20 threads of 20 rounds of model and tool, each step committed.

For comparison, the same run lets LangGraph's AsyncSqliteSaver with `durability="sync"` do the same work, and
bare sqlite3 (WAL, synchronous NORMAL) write the rows of this library's run, with one commit per step. The
latter is the ceiling for anything that stores the same rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from agent_core import Agent, Runtime, action_tool, define_agent_api
from agent_core.testing import ScriptedModel, ToolUse
from benchmarks import peers
from benchmarks.report import Figures, heading, interleaved, row

THREADS, ROUNDS, TIMES = 20, 20, 5
STEPS = THREADS * (2 * ROUNDS + 1)


@action_tool
async def echo(n: int) -> dict[str, int]:
    """Return the argument."""
    return {"n": n}


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    """Call the tool until the rounds are used up, then answer."""
    done = sum(message["role"] == "tool" for message in messages)
    return [f"Round {done}.", ToolUse("echo", {"n": done})] if done < ROUNDS else ["Done."]


async def converse(url: str) -> Figures:
    """Run the threads; return the seconds and the CPU seconds from first prompt to last answer."""
    agent = Agent(name="bench", model=ScriptedModel(answer), tools=[echo], max_steps=ROUNDS + 2)
    async with Runtime(database_url=url) as runtime:
        api = define_agent_api(runtime, agent)

        async def conversation() -> None:
            thread = await api.create_thread("Go.")
            thread = await api.wait_until_idle(thread.id)
            assert thread.status == "completed", thread

        began, worked = time.perf_counter(), time.process_time()
        await asyncio.gather(*(conversation() for _ in range(THREADS)))
        return time.perf_counter() - began, time.process_time() - worked


def ours() -> Figures:
    """Return this library's seconds and CPU seconds on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(converse(f"sqlite:///{Path(folder, 'agents.db')}"))


def bare_sqlite(source: Path) -> Figures:
    """Return the seconds of writing the rows of `source` into an empty copy in `STEPS` commits."""
    with contextlib.closing(sqlite3.connect(source)) as old:
        schema = [
            sql
            for (sql,) in old.execute(
                "select sql from sqlite_master where sql is not null and name not like '%_fts%'"
            )
        ]
        tables = [
            name
            for (name,) in old.execute(
                "select name from sqlite_master where type = 'table' and name not like '%_fts%'"
            )
        ]
        rows = [(table, values) for table in tables for values in old.execute(f'select * from "{table}"')]
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(sqlite3.connect(Path(folder, "raw.db"), isolation_level=None)) as new,
    ):
        for statement in ("pragma journal_mode=wal", "pragma synchronous=normal", *schema):
            new.execute(statement)
        share = -(-len(rows) // STEPS)
        began, worked = time.perf_counter(), time.process_time()
        for step in range(STEPS):
            new.execute("begin immediate")
            for table, values in rows[step * share : (step + 1) * share]:
                new.execute(f'insert into "{table}" values ({", ".join("?" * len(values))})', values)
            new.execute("commit")
        return time.perf_counter() - began, time.process_time() - worked


def langgraph() -> Figures:
    """Return LangGraph's seconds, or NaN where it could not be installed."""
    try:
        measured = peers.run_langgraph("steps", threads=THREADS, rounds=ROUNDS)
    except subprocess.CalledProcessError as error:
        print(f"  LangGraph was not measured: {error}", file=sys.stderr)
        return float("nan"), float("nan")
    return measured["seconds"], measured["cpu"]


def main() -> None:
    """Print steps per second, and per second of CPU, which holds on a busy machine, too."""
    heading(f"Durable steps: {THREADS} threads x {ROUNDS} rounds of model and tool, SQLite")
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "agents.db")
        asyncio.run(converse(f"sqlite:///{kept}"))
        figures = interleaved([ours, lambda: bare_sqlite(kept), langgraph], TIMES)
    for unit, own, bare, peer in zip(("steps/s", "steps/CPU s"), *figures, strict=True):
        row("agent_core", STEPS / own, unit)
        row(
            "bare sqlite3, the same rows, a commit a step",
            STEPS / bare,
            unit,
            f"we reach {bare / own:.1%} of it",
        )
        row("LangGraph, AsyncSqliteSaver, sync", STEPS / peer, unit, f"we do {peer / own:.1f} times as many")


if __name__ == "__main__":
    main()
