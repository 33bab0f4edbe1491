"""Processes of one app with an MCP server at which people sign in, in the process of a test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx

from agent_core.tools import ToolContext, execute, parse_arguments
from chat_app.database import opened_tables
from chat_app.mcp_servers.servers import AddedServers, opened_servers
from tests.support.mcp.signed_server import Provider

CALLBACK = "http://127.0.0.1:9/mcp-servers/callback"


@asynccontextmanager
async def processes(url: str, count: int) -> AsyncGenerator[list[AddedServers]]:
    """Open the servers as so many processes of one app do, on the database at a URL."""
    async with AsyncExitStack() as stack:
        tables = [await stack.enter_async_context(opened_tables(url)) for _ in range(count)]
        yield [await stack.enter_async_context(opened_servers(each, "any")) for each in tables]


async def begin(here: AddedServers, user_id: str) -> dict[str, str]:
    """Begin a sign-in with a browser that agrees to everything; return with what it comes back."""
    found = here.personal("mail")
    assert found is not None
    url = await here.sign_ins.begin(found[1], found[0], user_id, "Tests", CALLBACK)
    async with httpx.AsyncClient() as browser:
        back = await browser.get(url)
    return dict(parse_qsl(urlsplit(back.headers["location"]).query))


async def sign_in(here: AddedServers, elsewhere: AddedServers, provider: Provider, name: str) -> None:
    """Sign a person in with a browser that comes back to another process."""
    provider.who = name
    answer = await begin(here, name)
    assert (await elsewhere.sign_ins.finish(answer["state"], name, answer))[1] == "connected"


async def whose(here: AddedServers, user_id: str | None) -> str:
    """Call the server's tool as a person; return whose mail it is."""
    found = here.personal("mail")
    assert found is not None
    (tool,) = found[1].tools
    ctx = ToolContext("t", "c", tool.name, user_id=user_id)
    return str(await execute(tool, parse_arguments(tool, {}), ctx))
