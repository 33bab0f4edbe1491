"""Full disks: a clear error, nothing half written, and work goes on once there is room."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi
from agent_core.errors import DatabaseError
from agent_core.store.database.transaction import Tx
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import QUICK, agent_on, finished, tool_parts


async def limit_pages(api: AgentApi, *, full: bool) -> None:
    """Forbid SQLite to grow the file, like a full disk, or allow it again."""

    def limit(tx: Tx) -> None:
        pages = tx.cursor.execute("PRAGMA page_count").fetchone()[0]
        tx.cursor.execute(f"PRAGMA max_page_count = {pages if full else 1_000_000}").fetchone()

    await api.store.writer.run(limit)


async def test_a_prompt_that_finds_no_room_changes_nothing(tmp_path: Path) -> None:
    async with agent_on(tmp_path / "a.db", [["first"], ["second"]]) as api:
        thread = await api.create_thread("one")
        await finished(api, thread)
        await limit_pages(api, full=True)
        with pytest.raises(DatabaseError, match="no room left on its disk; nothing was changed"):
            await api.send_message(thread.id, "x" * 500_000)
        assert (await api.get_thread(thread.id)).status == "completed"  # pyright: ignore[reportOptionalMemberAccess]
        assert len(await api.list_messages(thread.id)) == 2
        await limit_pages(api, full=False)
        await api.send_message(thread.id, "x" * 500_000)
        await finished(api, thread)
        assert (await api.list_messages(thread.id))[-1].text == "second"


async def test_an_answer_that_finds_no_room_waits_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer = "long " * 100_000
    full = asyncio.Event()

    async def turn(messages: list[dict[str, Any]]) -> list[Any]:
        await full.wait()
        return [answer]

    model = ScriptedModel(turn)
    async with agent_on(tmp_path / "a.db", model, settings=QUICK, throttle_ms=1) as api:
        thread = await api.create_thread("one")
        await eventually(lambda: model.requests)
        await limit_pages(api, full=True)
        full.set()
        await eventually(lambda: "an answer was not written; retry" in caplog.text)
        await limit_pages(api, full=False)
        assert (await finished(api, thread)).status == "completed"
        assert (await api.list_messages(thread.id))[-1].text == answer
    assert len(model.requests) == 1, "an answer that exists was asked for again"
    assert "PoisonedStepError" not in caplog.text, "a refusing disk is not a crash of the process"


async def test_an_outcome_that_finds_no_room_waits_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The tool must not run again, and its result exists only in memory."""
    ran: list[int] = []
    full = asyncio.Event()

    @action_tool
    async def once() -> str:
        """Return a lot."""
        ran.append(1)
        await full.wait()
        return "long " * 100_000

    async with agent_on(tmp_path / "a.db", [[ToolUse("once")], ["Well."]], tools=[once]) as api:
        thread = await api.create_thread("one")
        await eventually(lambda: ran)
        await limit_pages(api, full=True)
        full.set()
        await eventually(lambda: "outcome was not written; retry" in caplog.text)
        await limit_pages(api, full=False)
        assert (await finished(api, thread)).status == "completed"
        assert (await tool_parts(api, thread))[0]["output"] == "long " * 100_000
    assert ran == [1]
