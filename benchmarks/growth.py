"""Database growth: one thread of 400 turns of 600 bytes, here and in LangGraph's saver."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from agent_core import Agent, Runtime, define_agent_api
from agent_core.testing import ScriptedModel
from benchmarks import peers
from benchmarks.report import heading, row

TURNS, SIZE = 400, 600
HALF = SIZE // 2


def answer(_messages: list[dict[str, Any]]) -> list[Any]:
    """Stream half of the turn's bytes in six deltas."""
    return ["a" * (HALF // 6)] * 6


async def converse(database: Path) -> None:
    """Run one thread of `TURNS` turns."""
    agent = Agent(name="bench", model=ScriptedModel(answer))
    async with Runtime(database_url=f"sqlite:///{database}") as runtime:
        api = define_agent_api(runtime, agent)
        thread = await api.create_thread()
        for _ in range(TURNS):
            await api.send_message(thread.id, "q" * HALF)
            await api.wait_until_idle(thread.id)


def size_of(database: Path) -> int:
    """Return the size of a database in bytes, with its log folded in."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    return database.stat().st_size


def by_table(database: Path) -> list[tuple[str, int]]:
    """Return the size in bytes of each table and index, largest first; [] where SQLite lacks `dbstat`."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            return connection.execute(
                "select name, sum(pgsize) from dbstat group by 1 order by 2 desc"
            ).fetchall()
        except sqlite3.OperationalError:
            return []


def main() -> None:
    """Print both sizes, and the size of each table of this library's database."""
    heading(f"Database growth: {TURNS} turns of {SIZE} B ({TURNS * SIZE / 1e6:.2f} MB of text)")
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "agents.db")
        asyncio.run(converse(database))
        own, parts = size_of(database), by_table(database)
    row("agent_core", own / 1e6, "MB")
    for name, size in parts[:6]:
        row(f"    {name}", size / 1e6, "MB")
    if peer := peers.run_langgraph("growth", turns=TURNS, size=SIZE):
        note = f"{peer['bytes'] / own:.0f} times ours"
        row("LangGraph, AsyncSqliteSaver", peer["bytes"] / 1e6, "MB", note)


if __name__ == "__main__":
    main()
