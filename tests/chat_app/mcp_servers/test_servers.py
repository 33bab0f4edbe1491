"""Test the servers of the rows: connected and changed while the app runs, in every process, and never in its way."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import pytest

from agent_core.errors import DatabaseError
from agent_core.testing import eventually
from chat_app import extensions
from chat_app.database import opened_tables
from chat_app.extensions import ASSISTANT_SERVERS
from chat_app.mcp_servers import servers as module
from chat_app.mcp_servers.servers import AddedServers, opened_servers
from chat_app.server.setting_values import Reach
from tests.agent_core.mcp.test_http import ACCEPTED, gateway
from tests.support.app_databases import app_database
from tests.support.mcp.calls import http_server, noted
from tests.tools.postgresql import PostgreSQL

KEY = {"Authorization": "Bearer s3cret-key"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return app_database(tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.05)
    monkeypatch.setattr(module, "START_WAIT", 20)
    monkeypatch.setattr(module, "_TEST_TIMEOUT", 3.0)


def names() -> list[str]:
    """Return the tools that the app's own agent has."""
    return [tool.name for server in ASSISTANT_SERVERS for tool in server.tools]


async def test_a_server_comes_and_goes_in_every_process_without_a_restart(url: str) -> None:
    async with gateway(ACCEPTED) as (address, heads), opened_tables(url) as one, opened_tables(url) as two:
        async with opened_servers(one, "any") as here, opened_servers(two, "any") as elsewhere:
            await here.add("shop", address, KEY, "always")
            await eventually(lambda: names() == ["shop_good", "shop_good"])  # once in each process
            (row,) = await elsewhere.list()
            assert all(tool.needs_approval for server in ASSISTANT_SERVERS for tool in server.tools)
            assert any("authorization: bearer s3cret-key" in head.lower() for head in heads)
            await elsewhere.set_enabled(row.id, enabled=False)
            await eventually(lambda: names() == [])
            assert here.server_of(row) is None
            await here.set_enabled(row.id, enabled=True)
            await eventually(lambda: len(names()) == 2)
            await here.remove(row.id)
            await eventually(lambda: names() == [])
        assert ASSISTANT_SERVERS == []
        await asyncio.sleep(0)
        async with opened_servers(one, "any") as again:
            assert await again.list() == []


async def test_a_server_is_added_and_removed_on_postgresql(postgresql: PostgreSQL) -> None:
    postgresql.execute("drop database if exists mcp_servers", "create database mcp_servers")
    url = postgresql.url("mcp_servers")
    async with (
        gateway(ACCEPTED) as (address, _),
        opened_tables(url) as one,
        opened_tables(url) as two,
        opened_servers(one, "any") as here,
        opened_servers(two, "any"),
    ):
        await here.add("shop", address, KEY, "hints")
        await eventually(lambda: names() == ["shop_good", "shop_good"])
        await here.set_enabled((await here.list())[0].id, enabled=False)
        await eventually(lambda: names() == [])
        await here.remove((await here.list())[0].id)
        assert await here.list() == []


async def test_added_servers_are_connected_at_the_next_start(url: str) -> None:
    async with gateway(ACCEPTED) as (address, _), opened_tables(url) as tables:
        async with opened_servers(tables, "any") as servers:
            await servers.add("shop", address, {}, "hints")
        async with opened_servers(tables, "any"):
            assert names() == ["shop_good"], "before the first step"
        async with opened_servers(tables, "none") as servers:
            assert (names(), len(await servers.list())) == ([], 1)
            assert await servers.test((await servers.list())[0].id) == ([], "")


async def test_an_unreachable_server_delays_no_start_and_is_connected_when_it_answers(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_WAIT", 0.3)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    address = f"http://127.0.0.1:{port}/mcp"
    async with opened_tables(url) as tables:
        async with opened_servers(tables, "any") as servers:
            await servers.add("tiny", address, {}, "hints")
        loop = asyncio.get_running_loop()
        before = loop.time()
        async with opened_servers(tables, "any") as servers:
            assert loop.time() - before < 5
            (row,) = await servers.list()
            await eventually(lambda: "cannot be used" in servers.problem_of(row))
            assert names() == []
            async with http_server(tmp_path / "log", port):
                await eventually(lambda: "tiny_add" in names())
                assert servers.problem_of(row) == ""
                tools = {
                    tool.name: tool.needs_approval for server in ASSISTANT_SERVERS for tool in server.tools
                }
                assert (tools["tiny_wipe"], tools["tiny_look"]) == (True, False)
                assert noted(tmp_path / "log", "begun x") == []


@pytest.mark.parametrize(
    ("address", "reach", "words"),
    [
        ("http://169.254.169.254/latest/meta-data", "any", "is not allowed"),
        ("http://[::ffff:169.254.169.254]/", "any", "is not allowed"),
        ("http://127.0.0.1:{port}/mcp", "public", "is not allowed"),
        ("http://nowhere.invalid/mcp", "any", "nowhere.invalid"),
    ],
)
async def test_a_server_at_a_forbidden_address_is_never_asked(
    url: str, address: str, reach: Reach, words: str
) -> None:
    async with (
        gateway(ACCEPTED) as (found, heads),
        opened_tables(url) as tables,
        opened_servers(tables, reach) as servers,
    ):
        await servers.add("shop", address.format(port=found.split(":")[2].split("/")[0]), {}, "hints")
        (row,) = await servers.list()
        await eventually(lambda: words in servers.problem_of(row))
        tools, problem = await servers.test(row.id)
        assert (tools, heads) == ([], [])
        assert words in problem


async def test_a_test_says_what_is_wrong_and_never_a_secret(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = "You sent " + next(line for line in head.splitlines() if "s3cret" in line)
        writer.write(
            f"HTTP/1.1 401 No\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
        )
        writer.close()

    for name in ("agent_core", "chat_app"):  # libraries log from WARNING on
        caplog.set_level(logging.DEBUG, logger=name)
    async with await asyncio.start_server(repeat, "127.0.0.1", 0) as listening, opened_tables(url) as tables:
        address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp?key=k3y-secret"
        async with opened_servers(tables, "any") as servers:
            await servers.add("shop", address, KEY, "always")
            (row,) = await servers.list()
            await servers.set_enabled(row.id, enabled=False)
            tools, problem = await servers.test(row.id)
            assert (tools, "401" in problem) == ([], True)
            await servers.set_enabled(row.id, enabled=True)
            await eventually(lambda: "401" in servers.problem_of(row))
            said = problem + servers.problem_of(row) + caplog.text
            assert not any(secret in said for secret in ("s3cret-key", "k3y-secret"))


async def test_a_name_of_the_configuration_stays_its_own(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(ACCEPTED) as (address, _), opened_tables(url) as tables:
        async with opened_servers(tables, "any") as servers:
            await servers.add("shop", address, {}, "hints")
        monkeypatch.setitem(extensions.MCP_SERVERS, "shop", None)
        async with opened_servers(tables, "any") as servers:
            (row,) = await servers.list()
            await eventually(lambda: "another server named shop" in servers.problem_of(row))
            assert names() == []


async def test_rows_that_cannot_be_read_change_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def away(_: AddedServers) -> None:
        nonlocal looks
        looks += 1
        raise DatabaseError("The database is away.")

    async with (
        gateway(ACCEPTED) as (address, _),
        opened_tables(url) as tables,
        opened_servers(tables, "any") as servers,
    ):
        await servers.add("shop", address, {}, "hints")
        await servers.settle(5)
        monkeypatch.setattr(AddedServers, "list", away)
        await eventually(lambda: looks > 2)
        assert names() == ["shop_good"]
        monkeypatch.undo()
