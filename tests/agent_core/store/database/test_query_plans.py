"""Query plans: the statements of each step and page use an index, however long the thread is."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite
from sqlmodel import select

from agent_core.store.database.sql import Statement
from agent_core.store.database.tables import StreamRow, ToolCallRow
from agent_core.store.reads.row_filters import calls_of, streams_of
from agent_core.store.tool_calls import calls
from agent_core.store.turns import streams
from tests.support.agents import prepare

THE_WHOLE_THREAD = re.compile(
    r"agent_(?:stream|tool_call|message) USING PRIMARY KEY \(thread_id=\?(?: AND seq<\?)?\)"
)


@pytest.mark.parametrize(
    "clause",
    [
        streams._PARTIAL,  # pyright: ignore[reportPrivateUsage]
        streams._REPLACE,  # pyright: ignore[reportPrivateUsage]
        streams._RETIRE_EMPTY,  # pyright: ignore[reportPrivateUsage]
        calls._ADVANCE,  # pyright: ignore[reportPrivateUsage]
        select(StreamRow).where(StreamRow.thread_id == "t", streams_of("t", ["a", "b"])),
        select(ToolCallRow).where(ToolCallRow.thread_id == "t", calls_of("t", ["a", "b"])),
    ],
    ids=["partial", "replace", "retire", "advance", "streams of a page", "calls of a page"],
)
def test_no_statement_looks_at_the_whole_thread(clause: Any, tmp_path: Path):
    if isinstance(clause, Statement):
        sql, _ = clause.compiled(sqlite.dialect(paramstyle="named"))
    else:
        options = {"literal_binds": True}
        sql = str(clause.compile(dialect=sqlite.dialect(), compile_kwargs=options))
    values = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    with contextlib.closing(sqlite3.connect(prepare(tmp_path / "agents.db"))) as connection:
        plan = [row[3] for row in connection.execute(f"explain query plan {sql}", values)]
    assert plan
    assert not [line for line in plan if THE_WHOLE_THREAD.search(line) or line.startswith("SCAN agent_")], (
        plan
    )
