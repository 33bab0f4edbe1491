"""Reports for administrators read open work and failures, however many threads there are."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from agent_core import AgentApi
from tests.support.agents import agent_on, prepare

pytestmark = pytest.mark.sqlite

THREADS = 20_000
_FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO agent_thread (id, agent, status, seq, cursor, trimmed, turn_cursor, attempt, crashes, steps, position,
    stop_signal, pinned, archived, created_at, updated_at, usage_seq, search_cursor, user_id, error, error_kind)
SELECT 't' || n, 'assistant', CASE n % 100 WHEN 0 THEN 'failed' ELSE 'completed' END, 1, 0, 0, 0, 0, 0, 1, 1,
    0, 0, 0, 1.0, 1.0 + n, 1, 0, 'u' || (n % 50), 'No.', CASE n % 200 WHEN 0 THEN 'auth' ELSE 'unknown' END
FROM numbers
"""
_SCHEDULES = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO agent_schedule (id, agent, trigger, missed_policy, next_at, last_thread_id, runs, missed, paused, created_at)
SELECT 's' || n, 'assistant', '{"type": "interval", "hours": 1}', 'run_once', 9e9 + n, 't' || n, 1, 0, 0, 1.0
FROM numbers
"""
FULL_SCAN = re.compile(
    r"SCAN agent_(?:thread|stream|message|tool_call)\b"
    r"(?! USING (?:COVERING )?INDEX agent_(?:thread_(?:failed|running|uncounted)|tool_call_open)\b)"
)
"""A scan of a long table; these indexes have only the rows that are open, uncounted or failed."""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 20,000 threads, of which every hundredth has failed, with a schedule for each tenth."""
    path = prepare(tmp_path_factory.mktemp("grown") / "agents.db")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(_FILL, [THREADS - 1])
        connection.execute(_SCHEDULES, [THREADS // 10 - 1])
        connection.execute("ANALYZE")
    return path


@contextlib.contextmanager
def statements(api: AgentApi) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that readers execute, with their values."""
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        seen.append((statement, values))

    event.listen(api.store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(api.store.engine, "before_cursor_execute", note)


def plans(path: Path, seen: list[tuple[str, Any]]) -> list[str]:
    """Return the lines of the query plans."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [
            row[3]
            for statement, values in seen
            if statement.lstrip().upper().startswith(("SELECT", "WITH"))
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


READS: dict[str, tuple[int, Callable[[AgentApi], Awaitable[Any]]]] = {
    "work": (6, lambda api: api.admin.work()),
    "failed threads": (2, lambda api: api.admin.failed_threads()),
    "failed threads of a kind": (
        2,
        lambda api: api.admin.failed_threads(agent="assistant", error_kind="auth"),
    ),
    "usage": (4, lambda api: api.admin.usage(since=datetime(2020, 1, 1, tzinfo=UTC))),
    "schedules": (1, lambda api: api.admin.schedules(limit=50)),
}
"""The most statements of each report."""


@pytest.mark.parametrize("name", READS)
async def test_a_report_scans_no_long_table(name: str, grown: Path) -> None:
    most, read = READS[name]
    async with agent_on(grown, [], runtime={"work": False}) as api:
        with statements(api) as seen:
            assert await read(api) is not None
        queries = [statement for statement, _ in seen if statement.lstrip().upper().startswith("SELECT")]
        assert 0 < len(queries) <= most
        lines = plans(grown, seen)
        assert lines
        assert not [line for line in lines if FULL_SCAN.search(line)], lines


async def test_what_expires_is_counted_by_an_index(grown: Path) -> None:
    async with agent_on(grown, [], runtime={"work": False, "delete_after": 30 * 86_400.0}) as api:
        with statements(api) as seen:
            (expiry,) = (await api.admin.storage()).expiries
        assert expiry.due == THREADS
        aged = [each for each in seen if "updated_at <" in each[0]]
        assert len(aged) == 1
        assert not [line for line in plans(grown, aged) if FULL_SCAN.search(line)]


async def test_a_scan_of_every_thread_is_found(grown: Path) -> None:
    lines = plans(grown, [("SELECT count(title) FROM agent_thread WHERE title IS NOT NULL", ())])
    assert [line for line in lines if FULL_SCAN.search(line)]
