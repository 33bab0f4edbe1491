"""Test sign-ins of people at an MCP server: with a browser that comes back to any process, and for nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from sqlalchemy import create_engine, text

from agent_core.errors import ToolServerError
from agent_core.testing import eventually
from agent_core.tools import ToolContext, execute, parse_arguments
from chat_app.database import opened_tables
from chat_app.mcp_servers import servers as module
from chat_app.mcp_servers.servers import AddedServers, opened_servers
from tests.support.app_databases import app_database
from tests.support.mcp.signed_server import Provider, signed_server

CALLBACK = "http://127.0.0.1:9/mcp-servers/callback"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.05)


@asynccontextmanager
async def processes(tmp_path: Path, count: int) -> AsyncGenerator[list[AddedServers]]:
    """Open the servers as so many processes of one app do."""
    async with AsyncExitStack() as stack:
        tables = [
            await stack.enter_async_context(opened_tables(app_database(tmp_path))) for _ in range(count)
        ]
        yield [await stack.enter_async_context(opened_servers(each, "any")) for each in tables]


async def begin(here: AddedServers, user_id: str) -> dict[str, str]:
    """Begin a sign-in with a browser that agrees to everything; return with what it comes back."""
    found = here.personal("mail")
    assert found is not None
    url = await here.sign_ins.begin(found[1], found[0], user_id, "Tests", CALLBACK)
    async with httpx.AsyncClient() as browser:
        back = await browser.get(url)
    return dict(parse_qsl(urlsplit(back.headers["location"]).query))


async def whose(here: AddedServers, user_id: str | None) -> str:
    found = here.personal("mail")
    assert found is not None
    (tool,) = found[1].tools
    ctx = ToolContext("t", "c", tool.name, user_id=user_id)
    return str(await execute(tool, parse_arguments(tool, {}), ctx))


async def sign_in(here: AddedServers, elsewhere: AddedServers, provider: Provider, name: str) -> None:
    provider.who = name
    answer = await begin(here, name)
    assert await elsewhere.sign_ins.finish(answer["state"], name, answer)


async def test_each_person_signs_in_and_only_their_calls_use_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("agent_core", "chat_app"):
        caplog.set_level(logging.DEBUG, logger=name)
    async with signed_server() as (url, provider):
        async with processes(tmp_path, 2) as (here, elsewhere):
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
        async with processes(tmp_path, 1) as (again,):
            assert "the mail of ann" in await whose(again, "ann"), "after a restart"
            await again.disconnect("mail", "ann")
            with pytest.raises(ToolServerError, match="not signed in at mail"):
                await whose(again, "ann")
            assert "the mail of bob" in await whose(again, "bob")
            await again.remove((await again.list())[0].id)
            assert left(tmp_path) == (0, 0)
        secrets = [*provider.access, *provider.refresh]
        assert not any(secret in caplog.text for secret in secrets)


def left(tmp_path: Path) -> tuple[int, int]:
    engine = create_engine(f"sqlite:///{tmp_path / 'agents.db'}")
    with engine.connect() as connection:
        found = [
            connection.scalar(text(f"select count(*) from {table}"))
            for table in ("chat_mcp_grant", "chat_mcp_sign_in")
        ]
    engine.dispose()
    return found[0] or 0, found[1] or 0


async def test_an_answer_counts_once_and_for_the_person_who_began(tmp_path: Path) -> None:
    async with signed_server() as (url, _), processes(tmp_path, 1) as (here,):
        await here.add("mail", url, {}, "hints", "personal")
        await eventually(lambda: here.personal("mail") is not None)
        answer = await begin(here, "ann")
        assert not await here.sign_ins.finish(answer["state"], "bob", answer), "Bob was sent Ann's link"
        assert not await here.sign_ins.finish("made up", "ann", answer)
        assert await here.sign_ins.finish(answer["state"], "ann", answer)
        assert not await here.sign_ins.finish(answer["state"], "ann", answer), "the link was opened again"
        refused: dict[str, Any] = {"error": "access_denied", "state": (await begin(here, "bob"))["state"]}
        assert not await here.sign_ins.finish(refused["state"], "bob", refused)
        assert await here.connections("bob") == {"mail": False}
        await eventually(lambda: left(tmp_path) == (1, 0))


async def test_a_server_that_asks_nobody_or_is_away_says_so(tmp_path: Path) -> None:
    async with processes(tmp_path, 1) as (here,):
        await here.add("mail", "http://127.0.0.1:9/mcp", {}, "hints", "personal")
        await eventually(lambda: here.personal("mail") is not None)
        with pytest.raises(ToolServerError, match="cannot be used"):
            await asyncio.wait_for(begin(here, "ann"), 20)
        assert left(tmp_path) == (0, 0)
        tools, problem = await here.test((await here.list())[0].id, "ann")
        assert (tools, "not signed in at mail" in problem) == ([], True)
