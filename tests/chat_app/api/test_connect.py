"""Test the routes with which a person signs in at an MCP server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from agent_core import CallContext
from agent_core.testing import eventually
from chat_app import extensions
from chat_app.api.mount import routes
from tests.chat_app.support import Serve
from tests.support.mcp.signed_server import signed_server


@pytest.fixture
def people() -> Iterator[None]:
    def by_header(headers: Mapping[str, str]) -> CallContext | None:
        name = headers.get("x-person")
        return CallContext(name) if name else None

    extensions.register_identity(by_header)
    yield
    extensions.IDENTITY.clear()


async def test_a_browser_goes_to_the_server_and_back(people: None, serve: Serve) -> None:
    transport = httpx.ASGITransport(routes)
    async with signed_server() as (url, provider), serve([]) as shared:
        added = shared.mcp_servers
        await added.add("mail", url, {}, "hints", "personal")
        await eventually(lambda: added.personal("mail") is not None)
        async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as app:
            ann, bob = {"x-person": "ann"}, {"x-person": "bob"}
            assert (await app.get("/mcp-servers/connect/mail")).status_code == 401
            gone = await app.get("/mcp-servers/connect/none", headers=ann)
            assert gone.headers["location"] == "/settings?connection=gone&server="
            sent = await app.get("/mcp-servers/connect/mail", headers=ann)
            assert (sent.status_code, sent.headers["cache-control"]) == (303, "no-store")
            asked = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
            assert asked["redirect_uri"] == "http://app.test/mcp-servers/callback"
            async with httpx.AsyncClient() as browser:
                back = urlsplit((await browser.get(sent.headers["location"])).headers["location"])
            here = f"{back.path}?{back.query}"
            for person, outcome in (
                (bob, "other&server=mail"),
                (ann, "connected&server=mail"),
                (ann, "expired&server="),
            ):
                done = await app.get(here, headers=person)
                assert (done.status_code, done.headers["cache-control"]) == (303, "no-store")
                assert done.headers["location"] == f"/settings?connection={outcome}"
            assert await added.connections("ann") == {"mail": True}
            assert await added.connections("bob") == {"mail": False}
            assert len(provider.access) == 1
