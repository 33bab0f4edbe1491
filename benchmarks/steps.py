"""Durable steps per second: 20 threads of 60 rounds of model and tool, each step committed.

For comparison, the same run lets LangGraph's AsyncSqliteSaver with `durability="sync"` do the same work, and
bare sqlite3 (WAL, synchronous NORMAL) write the rows of this library's run, with one commit per step. The
latter is the ceiling for anything that stores the same rows. The model looks at nothing but the number of
messages on both sides, so that it costs neither anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from agent_core import Agent, Runtime, action_tool, define_agent_api
from agent_core.domain.model_adapter import Finish, ModelEvent, ModelRequest, TextDelta, ToolCallDelta
from benchmarks import peers
from benchmarks.report import Figures, heading, interleaved, row

THREADS, ROUNDS, TIMES = 20, 60, 5
STEPS = THREADS * (2 * ROUNDS + 1)


@action_tool
async def echo(n: int) -> dict[str, int]:
    """Return the argument."""
    return {"n": n}


class Model:
    """Model adapter that calls the tool until the rounds are used up, then answers."""

    name = "model"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of an answer."""
        done = len(request.messages) // 2
        if done < ROUNDS:
            yield TextDelta(f"Round {done}.")
            yield ToolCallDelta(0, f"call_{done}", "echo", f'{{"n": {done}}}')
        else:
            yield TextDelta("Done.")
        yield Finish("stop")


async def converse(url: str) -> Figures:
    """Run the threads; return the seconds and the CPU seconds from first prompt to last answer."""
    agent = Agent(name="bench", model=Model(), tools=[echo], max_steps=ROUNDS + 2)
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


def langgraph_figures(**arguments: str) -> Figures:
    """Return LangGraph's seconds and CPU seconds, or NaN where it could not be installed."""
    measured = peers.run_langgraph("steps", threads=THREADS, rounds=ROUNDS, **arguments)
    return (measured["seconds"], measured["cpu"]) if measured else (math.nan, math.nan)


def print_steps(figures: Sequence[Figures], driver: str, peer: str) -> None:
    """Print steps per second, and the CPU of a step, which holds better on a busy machine.

    Args:
        figures: seconds and CPU seconds of this library, the bare driver and LangGraph.
        driver: name of the driver.
        peer: name of LangGraph's saver.
    """
    for name, (seconds, cpu) in zip(
        ("agent_core", f"bare {driver}, the same rows, a commit a step", peer), figures, strict=True
    ):
        row(name, STEPS / seconds, "steps/s", f"{cpu / STEPS * 1e3:.3f} ms of CPU a step")
    own, bare, other = figures
    for unit, mine, floor, theirs in zip(("steps/s", "CPU"), own, bare, other, strict=True):
        print(
            f"  In {unit} we reach {floor / mine:.1%} of bare {driver}, and {theirs / mine:.1f} × LangGraph."
        )


def main() -> None:
    """Measure in turns, and print the medians."""
    heading(f"Durable steps: {THREADS} threads x {ROUNDS} rounds of model and tool, SQLite")
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "agents.db")
        asyncio.run(converse(f"sqlite:///{kept}"))
        figures = interleaved([ours, lambda: bare_sqlite(kept), langgraph_figures], TIMES)
    print_steps(figures, "sqlite3", "LangGraph, AsyncSqliteSaver, sync")


if __name__ == "__main__":
    main()
