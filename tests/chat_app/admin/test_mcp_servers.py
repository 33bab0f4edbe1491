"""Test the section of the MCP servers: what administrators do with them, and that nobody else does anything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_core.testing import eventually
from chat_app.admin.mcp_servers import McpServers
from chat_app.extensions import ASSISTANT_SERVERS
from tests.agent_core.mcp.test_http import ACCEPTED, gateway
from tests.chat_app.admin.conftest import DENIED, OpenState
from tests.chat_app.support import Serve

KEY = {"X-Key": "s3cret-key"}


async def run_test(page: Any, server_id: str) -> list[dict[str, Any]]:
    """Run the test of a server; return what the page showed meanwhile."""
    return [dict(page.tested) async for _ in page.test(server_id)]


async def test_a_server_is_added_tested_switched_and_removed(serve: Serve, state: OpenState) -> None:
    page = await state(McpServers)
    async with gateway(ACCEPTED) as (url, _), serve([]):
        await page.open()
        assert (page.loaded, page.servers, page.reach) == (True, [], "any")
        await page.add("shop", f"{url}?key=k3y", KEY, "always", "shared")
        assert (page.notice, page.added) == ("", 1)

        async def connected() -> bool:
            await page.refresh()
            return page.servers[0]["status"] == "connected"

        await eventually(connected)
        (shop,) = page.servers
        assert (shop["name"], shop["url"], shop["headers"]) == ("shop", f"{url}?…", ["X-Key"])
        assert shop["tools"] == [{"name": "shop_good", "description": "", "approval": True}]
        assert "s3cret" not in str(page.dict()), "a value of a header never goes back to a browser"
        assert "k3y" not in str(page.dict())

        await page.add("shop", url, {}, "always", "shared")  # a double click
        assert ("named shop already" in page.notice, page.added, len(page.servers)) == (True, 1, 1)
        assert page.notice_info["code"] == "mcp_name_taken"

        assert await run_test(page, shop["id"]) == [{"id": shop["id"], "running": True}]
        assert page.tested == {"id": shop["id"], "running": False, "count": 1, "problem": ""}
        for _ in range(2):
            await page.switch(shop["id"], False)
            assert (page.notice, page.servers[0]["status"], ASSISTANT_SERVERS) == ("", "off", [])
        for _ in range(2):
            await page.remove(shop["id"])
            assert (page.notice, page.servers) == ("", [])
        await run_test(page, shop["id"])
        assert page.servers == []


async def test_a_broken_server_is_told_in_words(serve: Serve, state: OpenState) -> None:
    page = await state(McpServers)
    async with serve([]):
        await page.add("shop", "http://127.0.0.1:9/mcp", {}, "hints", "shared")

        async def down() -> bool:
            await page.refresh()
            return page.servers[0]["status"] == "down"

        await eventually(down)
        assert "The tool server shop cannot be used" in page.servers[0]["problem"]


@pytest.mark.parametrize("name", ["bob", ""])
async def test_those_who_may_not_see_and_change_nothing(
    people: None, serve: Serve, state: OpenState, name: str
) -> None:
    page, ann = await state(McpServers, name), await state(McpServers, "ann")
    async with gateway(ACCEPTED) as (url, heads), serve([]):
        await ann.add("shop", url, KEY, "always", "shared")
        await asyncio.sleep(0)
        server_id = ann.servers[0]["id"]
        await eventually(lambda: bool(heads))
        events: list[tuple[Any, ...]] = [
            (page.open,),
            (page.refresh,),
            (page.add, "mine", url, {}, "always", "shared"),
            (page.switch, server_id, False),
            (page.remove, server_id),
        ]
        for event, *arguments in events:
            page.notice = ""
            await event(*arguments)
            assert page.notice == (
                DENIED if name else "You are not signed in. Sign in, then reload the page."
            )
            assert (page.loaded, page.servers, page.added) == (False, [], 0)
        assert await run_test(page, server_id) == []
        assert page.tested == {}
        await ann.refresh()
        assert [(each["name"], each["enabled"]) for each in ann.servers] == [("shop", True)]
