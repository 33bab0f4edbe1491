"""Ask the authorization server of a grant: for new tokens, or to revoke the grant."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)

from agent_core.errors import words_of
from agent_core.mcp.address import MayReach
from agent_core.mcp.reach import reaching

# It logs whatever ends a sign-in with a traceback, such as that a person denies the access; the caller logs it, too.
logging.getLogger("mcp.client.auth.oauth2").addFilter(lambda record: record.msg != "OAuth flow error")
TIMEOUT = 10.0  # seconds for one request to an authorization server, with its redirects
_NOWHERE = "http://127.0.0.1/"  # the redirect URI of flows in which no browser comes back
_REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)  # RFC 6749, section 5.2

Keep = Callable[[dict[str, Any]], Awaitable[None]]
Show = Callable[[str], Awaitable[None]]
Wait = Callable[[], Awaitable[AuthorizationCodeResult]]


class AuthorizationServerError(Exception):
    """The authorization server cannot be reached, or does not answer as it should; the message says how."""


def flow_of(
    url: str,
    keep: Keep,
    grant: dict[str, Any] | None = None,
    *,
    client_name: str | None = None,
    redirect_uri: str = _NOWHERE,
    show: Show | None = None,
    wait: Wait | None = None,
) -> OAuthClientProvider:
    """Return the library's flow, which begins with what is known of a grant.

    Args:
        url: the URL of the MCP server.
        keep: is given each new grant.
        grant: the present grant; None for a sign-in.
        client_name, redirect_uri, show, wait: see `agent_core.mcp.grant_auth.Browser`.
    """
    about = OAuthClientMetadata.model_validate({"client_name": client_name, "redirect_uris": [redirect_uri]})
    storage = _Storage(keep, grant)
    provider = OAuthClientProvider(url, about, storage, show, wait)
    storage.context = context = provider.context
    if grant is not None:
        context.token_expiry_time = grant["expires_at"]
        context.client_info = OAuthClientInformationFull.model_validate(grant["client"])
        for name, kind in (
            ("oauth_metadata", OAuthMetadata),
            ("protected_resource_metadata", ProtectedResourceMetadata),
        ):
            if grant.get(name):
                setattr(context, name, kind.model_validate(grant[name]))
    return provider


async def renew(url: str, grant: dict[str, Any], may_reach: MayReach | None = None) -> dict[str, Any] | None:
    """Return a grant with new tokens; None if it cannot be renewed, now or later.

    Args:
        url: the URL of the MCP server.
        grant: the grant.
        may_reach: see `mcp_tools`.

    Raises:
        AuthorizationServerError: the grant may be valid, but the server does not answer.
    """
    if not grant["tokens"].get("refresh_token"):
        return None
    renewed: list[dict[str, Any]] = []

    async def keep(new: dict[str, Any]) -> None:
        renewed.append(new)

    request, response = httpx2.Request("POST", url), None
    flow = flow_of(url, keep, grant | {"expires_at": 1.0}).async_auth_flow(request)
    async with _asking(may_reach) as client, contextlib.aclosing(flow):
        outgoing = await anext(flow)
        while outgoing is not request:
            response = await client.send(outgoing)
            outgoing = await flow.asend(response)
    if renewed or response is None or _is_refusal(response):
        return renewed[0] if renewed else None
    raise AuthorizationServerError(f"it answered {response.status_code}")


async def revoke(grant: dict[str, Any], may_reach: MayReach | None = None) -> bool:
    """Ask once to revoke a grant (RFC 7009); return False if the server does not say where.

    Raises:
        AuthorizationServerError: the server does not answer, or refuses.
    """
    about: dict[str, Any] = grant.get("oauth_metadata") or {}
    endpoint = str(about.get("revocation_endpoint") or "")
    if not endpoint:
        return False
    kind = "refresh_token" if grant["tokens"].get("refresh_token") else "access_token"
    asked = {
        "token": grant["tokens"][kind],
        "token_type_hint": kind,
        "client_id": grant["client"]["client_id"],
    }
    async with _asking(may_reach) as client:
        data, headers = flow_of(endpoint, _forget, grant).context.prepare_token_auth(asked, {})
        response = await client.post(endpoint, data=data, headers=headers)
    if not response.is_success:
        raise AuthorizationServerError(f"it answered {response.status_code}")
    return True


@contextlib.asynccontextmanager
async def _asking(may_reach: MayReach | None) -> AsyncGenerator[httpx2.AsyncClient]:
    try:
        async with asyncio.timeout(TIMEOUT), httpx2.AsyncClient(**reaching(may_reach)) as client:
            yield client
    except TimeoutError as error:
        raise AuthorizationServerError(f"it did not answer within {TIMEOUT:g} s") from error
    except (httpx2.HTTPError, OAuthFlowError) as error:
        raise AuthorizationServerError(words_of(error)) from error


def _is_refusal(response: httpx2.Response) -> bool:
    """Return whether a response refuses for good, and is not that of a proxy whose server is away."""
    status = response.status_code
    if status in _REFUSALS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return status in _REFUSALS
    try:
        return status != HTTPStatus.TOO_MANY_REQUESTS and "error" in response.json()
    except (ValueError, TypeError):
        return False


async def _forget(_: dict[str, Any]) -> None:
    """Keep nothing."""


class _Storage:
    """The library's storage, which keeps everything of the flow that a renewal needs."""

    context: OAuthContext

    def __init__(self, keep: Keep, grant: dict[str, Any] | None) -> None:
        self._keep = keep
        self._grant = grant

    async def get_tokens(self) -> OAuthToken | None:
        return OAuthToken.model_validate(self._grant["tokens"]) if self._grant else None

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return OAuthClientInformationFull.model_validate(self._grant["client"]) if self._grant else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep nothing: a client without tokens is of no use, and is written with them."""

    async def set_tokens(self, tokens: OAuthToken) -> None:
        context = self.context
        await self._keep(
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
