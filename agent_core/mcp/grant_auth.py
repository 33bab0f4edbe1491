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
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)

from agent_core.mcp.grants import GrantStore

_EARLY = 30.0  # seconds before its end at which a token is renewed


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

    Args:
        url: the server's URL.
        store: where the grant is kept.
        browser: to let the person sign in, whether there is a grant or not; None to use the grant.
    """

    requires_response_body = False

    def __init__(self, url: str, store: GrantStore, browser: Browser | None = None) -> None:
        self._url = url
        self._store = store
        self._browser = browser
        self._signed_in: OAuthClientProvider | None = None
        self._renewing = asyncio.Lock()
        self.secrets: list[str] = []
        """Tokens that were sent, to hide in error messages."""

    def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send a request for the person; the last response is its own."""
        return self._with_token(request) if self._browser is None else self._signing_in(request)

    async def _signing_in(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if self._signed_in is None:
            self._signed_in = self._provider(None)  # it keeps the tokens for the requests after the sign-in
        flow = self._signed_in.async_auth_flow(request)
        async with contextlib.aclosing(flow):  # it holds a lock, also when the request failed
            with contextlib.suppress(StopAsyncIteration):
                outgoing = await anext(flow)
                while True:
                    outgoing = await flow.asend((yield outgoing))

    async def _with_token(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        must_renew = tried = is_away = False
        while (grant := await self._store.read()) is not None:
            if not tried and (must_renew or _is_old(grant)):
                tried, status = True, 0
                async with self._renewing:
                    if await self._store.read() != grant:
                        continue  # another request or process has renewed or ended it
                    flow = self._provider(grant | {"expires_at": 1.0}).async_auth_flow(request)
                    async with contextlib.aclosing(flow):
                        outgoing = await anext(flow)
                        while outgoing is not request:
                            response = yield outgoing
                            status = response.status_code
                            outgoing = await flow.asend(response)
                is_away = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
                if status != HTTPStatus.OK and not is_away:  # 0: it cannot be renewed
                    await self._store.end(_token(grant))
                continue
            self.secrets = [*self.secrets[-3:], _token(grant)]
            request.headers["Authorization"] = f"Bearer {_token(grant)}"
            response = yield request
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return
            if tried:
                if not is_away:
                    await self._store.end(_token(grant))
                return
            must_renew = True
        request.headers.pop("Authorization", None)
        yield request

    def _provider(self, grant: dict[str, Any] | None) -> OAuthClientProvider:
        """Return the library's flow, with what is known of a grant."""
        browser = self._browser
        about = OAuthClientMetadata.model_validate(
            {
                "client_name": browser.client_name if browser else None,
                "redirect_uris": [browser.redirect_uri if browser else "http://127.0.0.1/"],
            }
        )
        storage = _Storage(self._store, grant)
        handlers = (browser.show, _waiting(browser)) if browser else (None, None)
        provider = OAuthClientProvider(self._url, about, storage, *handlers)
        storage.context = context = provider.context
        if grant is not None:
            context.token_expiry_time = grant["expires_at"]
            for name, kind in (
                ("oauth_metadata", OAuthMetadata),
                ("protected_resource_metadata", ProtectedResourceMetadata),
            ):
                if grant.get(name):
                    setattr(context, name, kind.model_validate(grant[name]))
        return provider


class _Storage:
    """The library's storage, which keeps everything of the flow that a renewal needs."""

    context: OAuthContext

    def __init__(self, store: GrantStore, grant: dict[str, Any] | None) -> None:
        self._store = store
        self._grant = grant

    async def get_tokens(self) -> OAuthToken | None:
        return OAuthToken.model_validate(self._grant["tokens"]) if self._grant else None

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return OAuthClientInformationFull.model_validate(self._grant["client"]) if self._grant else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep nothing: a client without tokens is of no use, and is written with them."""

    async def set_tokens(self, tokens: OAuthToken) -> None:
        context = self.context
        await self._store.write(
            {
                "tokens": _json(tokens),
                "client": _json(context.client_info),
                "expires_at": context.token_expiry_time,
                "oauth_metadata": _json(context.oauth_metadata),
                "protected_resource_metadata": _json(context.protected_resource_metadata),
            }
        )


def _json(model: Any) -> Any:
    return None if model is None else model.model_dump(mode="json", exclude_none=True)


def _waiting(browser: Browser) -> Callable[[], Awaitable[AuthorizationCodeResult]]:
    async def wait() -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(await browser.wait())

    return wait


def _token(grant: dict[str, Any]) -> str:
    return str(grant["tokens"]["access_token"])


def _is_old(grant: dict[str, Any]) -> bool:
    return bool(grant["expires_at"]) and time.time() > grant["expires_at"] - _EARLY
