"""The cookie of a session: what the browser has is a token, and what the app sees behind the gate is its hash."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from chat_app.accounts.people import SESSION_LIFE, token_hash
from chat_app.server.origins import Origin, parse_host

SEEN = "chat-session-id"
"""Name of the cookie with the session's id, which the gate puts in place of the one with the token."""


def cookie_name(scope: Scope, origins: Sequence[Origin]) -> str:
    """Return the cookie's name, with port and base path: browsers send cookies to every port and path of a host.

    By https it has the prefix with which another host of the same domain cannot set it (RFC 6265bis, 4.1.3.2).
    """
    host = parse_host(Headers(scope=scope).get("host", ""))
    port = "" if host is None or host.port is None else f"_{host.port}"
    prefix = "__Host-" if is_https(scope, origins) else ""
    return f"{prefix}chat_session{port}{scope.get('root_path', '').replace('/', '_')}"


def session_in(cookies: str) -> str | None:
    """Return the session's id in the `cookie` header of a request behind the gate."""
    found = dict(map(_pair, cookies.split(";")))
    return found.get(SEEN) or None


def with_session(scope: Scope, origins: Sequence[Origin]) -> tuple[Scope, str | None]:
    """Return a request with the id of its session in place of the token, and the id; None without a session."""
    sent = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
    pairs = [_pair(part) for part in sent.split(";") if part.strip()]
    own = cookie_name(scope, origins)
    session_id = next((token_hash(value) for name, value in pairs if name == own and value), None)
    kept = [
        f"{name}={value}" for name, value in pairs if name not in (own, SEEN)
    ]  # only the gate writes SEEN
    if session_id is not None:
        kept.append(f"{SEEN}={session_id}")
    headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    if kept:
        headers.append((b"cookie", "; ".join(kept).encode("latin-1")))
    return dict(scope, headers=headers), session_id


def set_cookie(response: Response, scope: Scope, token: str, origins: Sequence[Origin]) -> None:
    """Let a browser keep the token of a session."""
    response.set_cookie(
        cookie_name(scope, origins),
        token,
        max_age=int(SESSION_LIFE),
        secure=is_https(scope, origins),
        httponly=True,
        samesite="lax",  # strict would lose the session on the way back from an OpenID provider
    )


def delete_cookie(response: Response, scope: Scope, origins: Sequence[Origin]) -> None:
    """Let a browser forget the token."""
    secure = is_https(scope, origins)
    response.delete_cookie(cookie_name(scope, origins), secure=secure, httponly=True, samesite="lax")


def is_https(scope: Scope, origins: Sequence[Origin]) -> bool:
    """Return whether the browser asked by https, as far as that can be known behind a proxy."""
    headers = Headers(scope=scope)
    host = parse_host(headers.get("host", ""))
    listed = {origin.scheme for origin in origins if host is not None and origin.is_at(host)}
    said = headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    return "https" in (scope.get("scheme"), said) or listed == {"https"}


def address_of(scope: Scope) -> str:
    """Return the IP address of the browser, for limits; of IPv6 the network of 64 bits, all of which one machine may have.

    A proxy beside the app, on this machine or in a private network, is asked for its client: the last address
    of `X-Forwarded-For` is the one that it has added. Of anybody else the header is not read.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    forwarded = Headers(scope=scope).get("x-forwarded-for", "").rpartition(",")[2].strip()
    with contextlib.suppress(ValueError):
        if ip_address(peer).is_private or ip_address(peer).is_loopback:
            return _machine(forwarded)
    with contextlib.suppress(ValueError):
        return _machine(peer)
    return peer or "unknown"


def _machine(address: str) -> str:
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((int(found), 64), strict=False))


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value
