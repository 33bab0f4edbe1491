"""Test servers at which each person signs in, against the official library's own authorization server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from agent_core.errors import ToolServerError
from agent_core.mcp.personal import PersonalServer, revoke_grant
from agent_core.testing import eventually
from agent_core.tools import ToolContext, execute, parse_arguments
from tests.support.mcp.signed_server import signed_server


class Store:
    """The grant of one person, in memory."""

    def __init__(self) -> None:
        self.grant: dict[str, Any] | None = None
        self.leased = False
        self.unused: list[dict[str, Any]] = []

    async def read(self) -> dict[str, Any] | None:
        return self.grant

    async def write(self, grant: dict[str, Any]) -> None:
        self.grant = grant

    async def end(self, access_token: str) -> None:
        if self._has(access_token):
            self.grant = None

    async def lease(self, access_token: str, seconds: float) -> float | None:
        if self.leased or not self._has(access_token):
            return None
        self.leased = True
        return 1.0

    async def release(self, lease: float) -> None:
        self.leased = False

    async def replace(self, access_token: str, grant: dict[str, Any]) -> None:
        self.leased = False
        if self._has(access_token):
            self.grant = grant
        else:
            self.unused.append(grant)

    def _has(self, access_token: str) -> bool:
        return self.grant is not None and self.grant["tokens"]["access_token"] == access_token


class Stores(dict[str | None, Store]):
    def __missing__(self, user_id: str | None) -> Store:
        return self.setdefault(user_id, Store())


@asynccontextmanager
async def mounted(url: str, stores: Stores) -> AsyncGenerator[PersonalServer]:
    server = PersonalServer(url, name="mail", prefix="mail", grants=stores.__getitem__)
    try:
        yield server
    finally:
        await server.close()


async def sign_in(server: PersonalServer, user_id: str | None) -> str:
    """Sign a person in with a browser that agrees to everything; return the address that it was shown."""
    shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def show(url: str) -> None:
        shown.set_result(url)

    async def wait() -> dict[str, Any]:
        async with httpx.AsyncClient() as browser:
            back = await browser.get(await shown)
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))

    uri = "http://127.0.0.1:9/mcp-servers/callback"
    await server.sign_in(user_id, client_name="Tests", redirect_uri=uri, show=show, wait=wait)
    return await shown


async def whose(server: PersonalServer, user_id: str | None) -> Any:
    (tool,) = server.tools
    return await execute(tool, parse_arguments(tool, {}), ToolContext("t", "c", tool.name, user_id=user_id))


async def test_each_call_is_its_persons() -> None:
    stores = Stores()
    async with signed_server() as (url, provider), mounted(url, stores) as server:
        shown = dict(parse_qsl(urlsplit(await sign_in(server, "ann")).query))
        assert (shown["code_challenge_method"], shown["resource"]) == ("S256", url)
        with pytest.raises(ToolServerError, match="not signed in at mail") as error:
            await whose(server, "bob")
        assert error.value.code == "tool_server_sign_in"
        provider.who = "bob"
        await sign_in(server, "bob")
        answers = await asyncio.gather(*(whose(server, name) for name in ("ann", "bob", "ann")))
        assert [str(answer) for answer in answers] == [
            "{'result': 'the mail of ann'}",
            "{'result': 'the mail of bob'}",
            "{'result': 'the mail of ann'}",
        ]
        stores["ann"].grant = None  # in any process
        with pytest.raises(ToolServerError, match="not signed in at mail"):
            await whose(server, "ann")


async def test_a_token_is_renewed_once_also_after_a_restart() -> None:
    stores = Stores()
    async with signed_server() as (url, provider):
        async with mounted(url, stores) as server:
            await sign_in(server, None)
        grant = stores[None].grant
        assert grant is not None
        async with mounted(url, stores) as server:
            await server.test(None)
            assert (provider.renewals, [tool.name for tool in server.tools]) == (0, ["mail_whose"])
            stores[None].grant = grant | {"expires_at": 1.0}
            await asyncio.gather(*(whose(server, None) for _ in range(5)))
            assert provider.renewals == 1
            renewed = stores[None].grant
            assert renewed is not None
            assert renewed["tokens"] != grant["tokens"]


async def test_a_refused_token_is_renewed_and_a_grant_that_cannot_be_is_ended() -> None:
    stores = Stores()
    async with signed_server() as (url, provider), mounted(url, stores) as server:
        await sign_in(server, "ann")
        provider.access.clear()  # revoked before its time
        assert "ann" in str(await whose(server, "ann"))
        assert provider.renewals == 1
        provider.access.clear()
        provider.refresh.clear()
        with pytest.raises(ToolServerError, match="not signed in at mail"):
            await whose(server, "ann")
        assert stores["ann"].grant is None


async def test_a_renewal_outlives_the_call_that_wanted_it() -> None:
    stores = Stores()
    async with signed_server() as (url, provider), mounted(url, stores) as server:
        await sign_in(server, "ann")
        stores["ann"].grant = old = (stores["ann"].grant or {}) | {"expires_at": 1.0}
        provider.held = asyncio.Event()
        call = asyncio.ensure_future(whose(server, "ann"))
        await eventually(lambda: provider.renewals == 1)
        call.cancel()  # by a stop of the turn
        provider.held.set()
        await eventually(lambda: stores["ann"].grant != old)
        assert "ann" in str(await whose(server, "ann"))
        assert (provider.renewals, provider.reused) == (1, 0)


async def test_a_grant_is_kept_while_its_authorization_server_is_away() -> None:
    stores = Stores()
    async with signed_server() as (url, provider), mounted(url, stores) as server:
        await sign_in(server, "ann")
        provider.access.clear()
        for status in (503, 429, 404):  # the last one by a proxy
            provider.status = status
            with pytest.raises(ToolServerError, match=f"cannot be renewed: it answered {status}") as error:
                await whose(server, "ann")
            assert error.value.kind == "unreachable", "the call was not run, and may be tried again"
        provider.status = 200
        assert "ann" in str(await whose(server, "ann"))


async def test_a_grant_is_revoked_where_its_server_says_so_and_otherwise_not() -> None:
    stores = Stores()
    async with signed_server() as (url, provider), mounted(url, stores) as server:
        await sign_in(server, "ann")
        grant = stores["ann"].grant
        assert grant is not None
        assert not await revoke_grant(grant | {"oauth_metadata": None})
        about, hidden = grant["oauth_metadata"], f"{url}/nowhere"
        with pytest.raises(ToolServerError, match="it answered"):
            await revoke_grant(grant | {"oauth_metadata": about | {"revocation_endpoint": hidden}})
        with pytest.raises(ToolServerError, match="is not allowed"):
            await revoke_grant(grant, lambda _: False)
        assert (len(provider.access), provider.revoked) == (1, [])
        only = {**grant["tokens"], "refresh_token": None}
        assert await revoke_grant(grant | {"tokens": only})
        assert (provider.access, provider.revoked) == ({}, [only["access_token"]])


async def test_no_token_is_in_an_error(caplog: pytest.LogCaptureFixture) -> None:
    stores = Stores()
    async with signed_server() as (url, provider), mounted(url, stores) as server:
        await sign_in(server, "ann")
        tokens = [*provider.access, *provider.refresh]
        provider.access.clear()
        provider.refresh.clear()
        with pytest.raises(ToolServerError) as error:
            await whose(server, "ann")
        assert not any(token in caplog.text + str(error.value) for token in tokens)
