"""An MCP server at which each person signs in, on the official library's parts, and what its tests turn.

The person who signs in is the one in `who`; nobody is asked for a password.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import AsyncGenerator
from typing import Any

import anyio
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
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from agent_core.testing import eventually


class Provider:
    """The authorization server; tokens live `life` seconds, and refresh tokens are used once."""

    def __init__(self) -> None:
        self.who = "ann"
        self.life = 3600
        self.renewals = 0
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
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        return self._issue(client.client_id, authorization_code.subject, authorization_code.resource)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        self.renewals += 1
        del self.refresh[refresh_token.token]
        return self._issue(client.client_id, refresh_token.subject, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: Any) -> None:
        """Forget a token."""

    async def exchange_identity_assertion(self, client: Any, params: Any) -> OAuthToken:
        raise NotImplementedError

    def _issue(self, client_id: str, who: str | None, resource: str | None) -> OAuthToken:
        access, refresh = f"access-{secrets.token_urlsafe(16)}", f"refresh-{secrets.token_urlsafe(16)}"
        end = int(time.time()) + self.life
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
        }
    )
    server = MCPServer("mail", log_level="CRITICAL", auth_server_provider=provider, auth=settings)

    @server.tool()
    def whose() -> str:
        """Say whose mail this is."""
        token = get_access_token()
        return f"the mail of {token.subject if token else None}"

    app = server.streamable_http_app()
    serving = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=1)
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serving.serve)
        await eventually(lambda: serving.started)
        yield f"{origin}/mcp", provider
        serving.should_exit = True
