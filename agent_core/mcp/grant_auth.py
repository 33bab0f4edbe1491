"""Send a person's access token with each request, and renew it; or let the person sign in (OAuth 2.1 with PKCE)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult

from agent_core.errors import AgentCoreError, words_of
from agent_core.mcp.address import MayReach
from agent_core.mcp.authorization_server import TIMEOUT, AuthorizationServerError, flow_of, renew
from agent_core.mcp.grants import GrantStore

_EARLY = 30.0  # seconds before its end at which a token is renewed
LEASE = TIMEOUT + 5.0  # seconds of a renewal; if its process dies, another one begins after them
_LOOK_INTERVAL = 0.1  # seconds between two looks at what the process with the lease has done
_KEEP_ATTEMPTS = 3  # at writing new tokens, which are lost otherwise
_KEEP_INTERVAL = 1.0  # seconds between them


@dataclass(frozen=True)
class Browser:
    """The person's browser in a sign-in.

    Attributes:
        client_name: the name of the application, which the server shows the person.
        redirect_uri: the application's address to which the server sends the browser back.
        show: sends the browser to an address of the server.
        wait: returns the `code`, `state` and `iss` with which the browser came back.
    """

    client_name: str
    redirect_uri: str
    show: Callable[[str], Awaitable[None]]
    wait: Callable[[], Awaitable[dict[str, Any]]]


class GrantAuth(httpx2.Auth):
    """Authentication of one person at one server.

    The grant is read for each request, so that one that was ended or renewed in another process is noticed at once. A
    grant that the server refuses for good is ended; while its authorization server is away, it is kept.

    A renewal has a lease, because refresh tokens are often used once: all other requests, in any process, wait for it and
    take its tokens. It runs in a task of its own, as a request that is cancelled must not lose them.

    Args:
        url: the server's URL.
        store: where the grant is kept.
        browser: to let the person sign in, whether there is a grant or not; None to use the grant.
        may_reach: see `mcp_tools`.
    """

    requires_response_body = False

    def __init__(
        self,
        url: str,
        store: GrantStore,
        browser: Browser | None = None,
        may_reach: MayReach | None = None,
    ) -> None:
        self._url = url
        self._store = store
        self._browser = browser
        self._may_reach = may_reach
        self._signed_in: OAuthClientProvider | None = None
        self._renewal: asyncio.Task[str] | None = None
        self.secrets: list[str] = []
        """Tokens that were sent, to hide in error messages."""

    def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send a request for the person; the last response is its own."""
        return (
            self._with_token(request) if self._browser is None else self._signing_in(request, self._browser)
        )

    async def close(self) -> None:
        """Wait until a renewal that is under way has ended."""
        if self._renewal is not None:
            await asyncio.wait({self._renewal}, timeout=LEASE)

    async def _signing_in(
        self, request: httpx2.Request, browser: Browser
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        async def wait() -> AuthorizationCodeResult:
            return AuthorizationCodeResult.model_validate(await browser.wait())

        if self._signed_in is None:  # it keeps the tokens for the requests after the sign-in
            name, uri = browser.client_name, browser.redirect_uri
            self._signed_in = flow_of(
                self._url, self._store.write, client_name=name, redirect_uri=uri, show=browser.show, wait=wait
            )
        flow = self._signed_in.async_auth_flow(request)
        async with contextlib.aclosing(flow):  # it holds a lock, also when the request failed
            with contextlib.suppress(StopAsyncIteration):
                outgoing = await anext(flow)
                while True:
                    outgoing = await flow.asend((yield outgoing))

    async def _with_token(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        tried, away, refused = False, "", ""
        while (grant := await self._store.read()) is not None:
            token = _token(grant)
            if not tried and (token == refused or _is_old(grant)):
                tried, away = True, await self._renew(grant)
                continue
            self.secrets = [*self.secrets[-3:], token]
            request.headers["Authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return
            if away:
                raise httpx2.ConnectError(f"its sign-in cannot be renewed: {away}", request=request)
            if tried:
                await self._store.end(token)
                return
            refused = token
        request.headers.pop("Authorization", None)
        yield request

    async def _renew(self, grant: dict[str, Any]) -> str:
        """Renew a grant, or wait for whoever does; return why that is not possible at present, or ""."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renewed(grant), name="renewal of a grant")
        return await asyncio.shield(self._renewal)

    async def _renewed(self, grant: dict[str, Any]) -> str:
        token = _token(grant)
        try:
            while (lease := await self._store.lease(token, LEASE)) is None:
                found = await self._store.read()
                if found is None or _token(found) != token:
                    return ""  # another process has renewed or ended it
                await asyncio.sleep(_LOOK_INTERVAL)
            try:
                renewed = await renew(self._url, grant, self._may_reach)
            except AuthorizationServerError as error:
                await self._store.release(lease)
                return str(error)
            await (self._keep(token, renewed) if renewed else self._store.end(token))
        except AgentCoreError as error:
            return words_of(error)
        return ""

    async def _keep(self, token: str, renewed: dict[str, Any]) -> None:
        for _ in range(_KEEP_ATTEMPTS - 1):
            with contextlib.suppress(AgentCoreError):
                return await self._store.replace(token, renewed)
            await asyncio.sleep(_KEEP_INTERVAL)
        return await self._store.replace(token, renewed)


def _token(grant: dict[str, Any]) -> str:
    return str(grant["tokens"]["access_token"])


def _is_old(grant: dict[str, Any]) -> bool:
    return bool(grant["expires_at"]) and time.time() > grant["expires_at"] - _EARLY
