"""An MCP server at which each person signs in, on the official library's parts, and what its tests turn.

The person who signs in is the one in `who`; nobody is asked for a password, and a browser only if `asks` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from agent_core.testing import eventually

CONSENT = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Mail</title>
<h1>Mail</h1><p>May Durable agents read your mail?</p>
<p><a href="{allowed}">Allow as {who}</a> <a href="{denied}">Deny</a></p></html>"""


class Provider:
    """The authorization server; tokens live `life` seconds.

    Refresh tokens are used once. If one is used again, it was stolen, and all tokens of its sign-in are revoked.

    Attributes:
        asks: whether the person is asked on a page before the browser is sent back.
        held: while it is set, and not opened, a renewal waits for it.
        status: with which the token endpoint answers instead of working.
        reused: number of refresh tokens that came twice.
        revoked: the tokens that the app had revoked.
    """

    def __init__(self) -> None:
        self.who = "ann"
        self.life = 3600
        self.asks = False
        self.held: asyncio.Event | None = None
        self.status = 200
        self.renewals = 0
        self.reused = 0
        self.revoked: list[str] = []
        self.signed_in_as: dict[str, str] = {}  # the sign-in of each refresh token, also of used ones
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=True,
            resource=params.resource,
            subject=self.who,
        )
        self.codes[code.code] = code
        back = construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)
        return f"/consent?state={params.state}&code={code.code}" if self.asks else back

    async def consent(self, request: Request) -> Response:
        """Show the page on which a person allows or denies the access."""
        code, state = self.codes[request.query_params["code"]], request.query_params["state"]
        back = str(code.redirect_uri)
        allowed = construct_redirect_uri(back, code=code.code, state=state)
        denied = construct_redirect_uri(back, error="access_denied", state=state)
        words = {"allowed": allowed, "denied": denied, "who": self.who}
        return HTMLResponse(
            CONSENT.format(**{name: each.replace("&", "&amp;") for name, each in words.items()})
        )

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        code = authorization_code
        return self._issue(client.client_id, code.subject, code.resource, secrets.token_hex(8))

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        if refresh_token not in self.refresh and (sign_in := self.signed_in_as.get(refresh_token)):
            self.reused += 1
            self._end(sign_in)
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        self.renewals += 1
        old = self.refresh.pop(refresh_token.token)
        issued = self._issue(client.client_id, old.subject, old.resource, self.signed_in_as[old.token])
        if self.held is not None:
            await self.held.wait()
        return issued

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: Any) -> None:
        self.revoked.append(token.token)
        self._end(self.signed_in_as[token.token])

    async def exchange_identity_assertion(self, client: Any, params: Any) -> OAuthToken:
        raise NotImplementedError

    def _end(self, sign_in: str) -> None:
        for token in [token for token, known in self.signed_in_as.items() if known == sign_in]:
            self.access.pop(token, None)
            self.refresh.pop(token, None)

    def _issue(self, client_id: str, who: str | None, resource: str | None, sign_in: str) -> OAuthToken:
        access, refresh = f"access-{secrets.token_urlsafe(16)}", f"refresh-{secrets.token_urlsafe(16)}"
        end = int(time.time()) + self.life
        self.signed_in_as |= {access: sign_in, refresh: sign_in}
        self.access[access] = AccessToken(
            token=access, client_id=client_id, scopes=[], expires_at=end, subject=who, resource=resource
        )
        self.refresh[refresh] = RefreshToken(
            token=refresh, client_id=client_id, scopes=[], subject=who, resource=resource
        )
        return OAuthToken(access_token=access, refresh_token=refresh, expires_in=self.life)


@contextlib.asynccontextmanager
async def signed_server() -> AsyncGenerator[tuple[str, Provider]]:
    """Serve on loopback for a block; yield the URL and the provider."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    origin, provider = f"http://127.0.0.1:{port}", Provider()
    settings = AuthSettings.model_validate(
        {
            "issuer_url": origin,
            "resource_server_url": f"{origin}/mcp",
            "validate_token_resource": True,
            "client_registration_options": ClientRegistrationOptions(enabled=True),
            "revocation_options": RevocationOptions(enabled=True),
        }
    )
    server = MCPServer("mail", log_level="CRITICAL", auth_server_provider=provider, auth=settings)

    @server.tool()
    def whose() -> str:
        """Say whose mail this is."""
        token = get_access_token()
        return f"the mail of {token.subject if token else None}"

    server.custom_route("/consent", methods=["GET"])(provider.consent)
    app = server.streamable_http_app()

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if provider.status != 200 and scope.get("path") in ("/token", "/revoke"):
            await Response("It is being repaired.", provider.status)(scope, receive, send)
        else:
            await app(scope, receive, send)

    serving = uvicorn.Server(
        uvicorn.Config(served, port=port, log_level="critical", timeout_graceful_shutdown=1)
    )
    task = asyncio.create_task(serving.serve())
    try:
        await eventually(lambda: serving.started)
        yield f"{origin}/mcp", provider
    finally:
        serving.should_exit = True
        await task


@contextlib.contextmanager
def signed_server_beside() -> Iterator[tuple[str, Provider]]:
    """Serve as `signed_server` in a thread, for a test that has no event loop."""
    found: list[tuple[str, Provider]] = []
    up, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with signed_server() as server:
            found.append(server)
            up.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        assert up.wait(30), "it does not start"
        yield found[0]
    finally:
        done.set()
        thread.join()
