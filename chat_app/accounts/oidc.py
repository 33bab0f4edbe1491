"""Sign-in by an OpenID provider (authorization code flow with PKCE), and who of its people is let in.

https://openid.net/specs/openid-connect-core-1_0.html; authlib checks state, nonce, signature, issuer and audience.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlmodel import Session, select
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_core.errors import AccessDeniedError
from agent_core.support.ids import new_id
from chat_app.accounts.people import MAX_NAME, may_sign_in
from chat_app.database.changes import count_change
from chat_app.database.tables import PersonRow
from chat_app.server.settings import load_settings
from chat_app.server.sign_in import Oidc

_log = logging.getLogger(__name__)
_LIFE = 600  # seconds that a person has for the sign-in at the provider
_TIMEOUT = 10.0  # seconds in which the provider answers


class ProviderError(Exception):
    """The provider did not sign the person in, or does not answer."""


class _FlowCookie:
    """Starlette's signed cookie, for the two routes of the flow alone: state, nonce and verifier are in it.

    Every web process of the app has the same key, since the person may come back to another one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = load_settings()
        secret = settings.sign_in.oidc.client_secret if settings.sign_in.oidc else ""
        key = hashlib.sha256(f"cookie of the sign-in:{secret}".encode()).hexdigest()
        https = bool(settings.origins) and all(origin.scheme == "https" for origin in settings.origins)
        app = SessionMiddleware(self._app, key, "chat_sign_in", _LIFE, "/", "lax", https)
        await app(scope, receive, send)


FLOW = [Middleware(_FlowCookie)]
"""Middleware of the routes of the flow."""


@functools.cache
def _client(oidc: Oidc) -> Any:
    from authlib.integrations.starlette_client import OAuth  # here, because most apps have no provider

    return OAuth().register(
        "provider",
        client_id=oidc.client_id,
        client_secret=oidc.client_secret,
        server_metadata_url=f"{oidc.issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "timeout": _TIMEOUT,
        },
    )


def provider_name(oidc: Oidc) -> str:
    """Return the name of the provider that people know: its host."""
    return urlsplit(oidc.issuer).hostname or oidc.issuer


async def to_provider(request: Request, oidc: Oidc, redirect_uri: str) -> Response:
    """Return the redirect to the provider.

    Raises:
        ProviderError: it does not answer.
    """
    try:
        return await _client(oidc).authorize_redirect(request, redirect_uri)
    except Exception as error:  # see `claims_of`
        raise _failed(oidc, error) from error


async def claims_of(request: Request, oidc: Oidc) -> Mapping[str, Any]:
    """Return the claims of the person who comes back from the provider.

    Raises:
        ProviderError: the provider did not sign them in, or this browser did not ask it to.
    """
    try:
        token = await _client(oidc).authorize_access_token(request)
        claims = token["userinfo"]
        if not claims.get("sub"):
            raise KeyError("sub")
        return await _with_admin_claim(claims, token, oidc)
    except (
        Exception
    ) as error:  # of authlib, joserfc and httpx or httpx2, and of parsing whatever was answered
        raise _failed(oidc, error) from error


async def _with_admin_claim(claims: Mapping[str, Any], token: Any, oidc: Oidc) -> Mapping[str, Any]:
    """Return the claims with the one that names administrators, which some providers give only when they are asked.

    What is asked for by the access token must be about the person of the ID token (OpenID Connect Core, 5.3.2).
    """
    if oidc.admin_claim is None or _claim(claims, oidc.admin_claim[0]) is not None:
        return claims
    if not (await _client(oidc).load_server_metadata()).get("userinfo_endpoint"):
        return claims
    asked = await _client(oidc).userinfo(token=token)
    return {**asked, **claims} if asked.get("sub") == claims["sub"] else claims


def _failed(oidc: Oidc, error: Exception) -> ProviderError:
    # Not the text, which may contain what the provider or the browser sent.
    reason = getattr(error, "error", None) or type(error).__name__
    _log.warning("The sign-in at %s failed: %.80r", oidc.issuer, reason)
    _log.debug("The reason", exc_info=error)
    return ProviderError(reason)


def admitted_name(claims: Mapping[str, Any], oidc: Oidc) -> tuple[str, bool]:
    """Return the name of the person of an ID token, and whether it is an e-mail address that may be trusted.

    Raises:
        AccessDeniedError: the settings do not let the person in.
    """
    email = str(claims.get("email") or "").strip()
    # Without the claim anybody could have entered any address there; some providers send it as a text.
    trusted = bool(email) and claims.get("email_verified") in (True, "true")
    mine = {email.casefold(), f"@{email.rpartition('@')[2].casefold()}"} if trusted else set[str]()
    if "*" not in oidc.allowed and not mine & oidc.allowed:
        raise AccessDeniedError("Your account of the OpenID provider is not let in. Ask an administrator.")
    name = email or str(claims.get("preferred_username") or claims.get("name") or claims["sub"])
    return "".join(letter for letter in name if letter.isprintable())[:MAX_NAME] or "?", trusted


def admit(
    session: Session, claims: Mapping[str, Any], oidc: Oidc, admins: Collection[str], now: float
) -> PersonRow:
    """Return the row of the person of an ID token, which the first sign-in makes.

    The provider's id of the person is the key, never the e-mail address, which can be given to somebody else.

    Raises:
        AccessDeniedError: the person is not let in, or was removed.
    """
    name, trusted = admitted_name(claims, oidc)
    subject = str(claims["sub"])
    session.execute(
        text(
            "INSERT INTO chat_person (id, name, role, issuer, subject, created_at) "
            "VALUES (:id, :name, 'member', :issuer, :subject, :now) ON CONFLICT DO NOTHING"
        ),
        {"id": new_id("person"), "name": name, "issuer": oidc.issuer, "subject": subject, "now": now},
    )
    known = select(PersonRow).where(PersonRow.issuer == oidc.issuer, PersonRow.subject == subject)
    person = session.exec(known).one()
    if not may_sign_in(person):
        raise AccessDeniedError("Your account was removed or disabled. Ask an administrator.")
    person.name = name
    is_listed = trusted and name.casefold() in {admin.casefold() for admin in admins}
    role = "admin" if is_listed or is_admin_by_claim(claims, oidc) else "member"
    if role != person.role and (role == "admin" or oidc.admin_claim is not None):
        person.role = role
        count_change(session)
    session.add(person)
    return person


def is_admin_by_claim(claims: Mapping[str, Any], oidc: Oidc) -> bool:
    """Return whether a claim makes a person an administrator, as the settings say: its value, or one in its list."""
    if oidc.admin_claim is None:
        return False
    name, wanted = oidc.admin_claim
    found = _claim(claims, name)
    values: list[Any] = cast(list[Any], found) if isinstance(found, list) else [found]
    return any(
        value == wanted if isinstance(value, str) else json.dumps(value) == wanted
        for value in values
        if isinstance(value, str | bool | int)
    )


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim; a dot leads into a claim of Keycloak's kind, such as `realm_access.roles`. None without it."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = cast(Mapping[str, Any], found).get(part) if isinstance(found, Mapping) else None
    return found
