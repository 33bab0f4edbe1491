"""Test sign-ins of people at an MCP server: with a browser that comes back to any process, and for nobody else."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from agent_core.errors import ToolServerError
from agent_core.testing import eventually
from chat_app.mcp_servers import servers as module
from tests.support.app_databases import app_database
from tests.support.mcp.app_processes import begin, processes, sign_in, whose
from tests.support.mcp.signed_server import signed_server


@pytest.fixture
def database(tmp_path: Path) -> str:
    return app_database(tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.05)


async def test_each_person_signs_in_and_only_their_calls_use_it(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("agent_core", "chat_app"):
        caplog.set_level(logging.DEBUG, logger=name)
    async with signed_server() as (url, provider):
        async with processes(database, 2) as (here, elsewhere):
            await here.add("mail", url, {}, "hints", "personal")
            await eventually(lambda: elsewhere.personal("mail") is not None)
            assert await here.connections("ann") == {"mail": False}
            await sign_in(here, elsewhere, provider, "ann")
            assert await here.connections("ann") == {"mail": True}
            assert await here.connections("bob") == {"mail": False}
            await eventually(lambda: bool(elsewhere.personal("mail")[1].tools))  # pyright: ignore[reportOptionalSubscript]
            assert "the mail of ann" in await whose(elsewhere, "ann"), "the worker, for example"
            for stranger in ("bob", None):
                with pytest.raises(ToolServerError, match="not signed in at mail") as error:
                    await whose(here, stranger)
                assert error.value.code == "tool_server_sign_in"
            await sign_in(here, elsewhere, provider, "bob")
            assert "the mail of bob" in await whose(here, "bob")
            assert "the mail of ann" in await whose(here, "ann")
        async with processes(database, 1) as (again,):
            assert "the mail of ann" in await whose(again, "ann"), "after a restart"
            await again.disconnect("mail", "ann")
            with pytest.raises(ToolServerError, match="not signed in at mail"):
                await whose(again, "ann")
            assert "the mail of bob" in await whose(again, "bob")
            await again.remove((await again.list())[0].id)
            assert left(database) == (0, 0)
        secrets = [*provider.access, *provider.refresh]
        assert not any(secret in caplog.text for secret in secrets)


def left(url: str) -> tuple[int, int]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [
            connection.scalar(text(f"select count(*) from {table}"))
            for table in ("chat_mcp_grant", "chat_mcp_sign_in")
        ]
    engine.dispose()
    return found[0] or 0, found[1] or 0


async def test_an_answer_counts_once_and_for_the_person_who_began(database: str) -> None:
    async with signed_server() as (url, _), processes(database, 1) as (here,):
        await here.add("mail", url, {}, "hints", "personal")
        await eventually(lambda: here.personal("mail") is not None)
        (row,) = await here.list()
        answer = await begin(here, "ann")
        end = here.sign_ins.finish
        assert await end(answer["state"], "bob", answer) == (row.id, "other"), "Bob was sent Ann's link"
        assert await end("made up", "ann", answer) == ("", "expired")
        assert await end(answer["state"], "ann", answer) == (row.id, "connected")
        assert await end(answer["state"], "ann", answer) == ("", "expired"), "the link was opened again"
        for error, outcome in (("access_denied", "denied"), ("server_error", "failed")):
            refused: dict[str, Any] = {"error": error, "state": (await begin(here, "bob"))["state"]}
            assert await end(refused["state"], "bob", refused) == (row.id, outcome)
        assert await here.connections("bob") == {"mail": False}
        await eventually(lambda: left(database) == (1, 0))


async def test_a_server_that_asks_nobody_or_is_away_says_so(database: str) -> None:
    async with processes(database, 1) as (here,):
        await here.add("mail", "http://127.0.0.1:9/mcp", {}, "hints", "personal")
        await eventually(lambda: here.personal("mail") is not None)
        with pytest.raises(ToolServerError, match="cannot be used"):
            await asyncio.wait_for(begin(here, "ann"), 20)
        assert left(database) == (0, 0)
        tools, problem = await here.test((await here.list())[0].id, "ann")
        assert (tools, "not signed in at mail" in problem) == ([], True)
