"""Guard in front of every route and the socket: it refuses requests from pages of other sites.

A browser sends requests to any server on behalf of any page, and lets any page open a socket. The
guard distinguishes the app's own pages from others by headers that only the browser can set: `Host`, the name
in the address bar (a foreign one is DNS rebinding); `Origin`, the requesting page; and, in requests without
`Origin`, the fetch metadata (https://w3c.github.io/webappsec-fetch-metadata/). Programs other than browsers
send neither of the last two and pass. Headers added by proxies are ignored, as anyone can send them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from chat_app.server.origins import Host, Origin, parse_host, parse_origin

_log = logging.getLogger(__name__)

_OWN = {"same-origin", "none"}
"""Values of Sec-Fetch-Site for requests of the app's own pages and for typed addresses."""
_LISTS = frozenset(
    [
        "accept",
        "cache-control",
        "connection",
        "cookie",
        "forwarded",
        "link",
        "pragma",
        "prefer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "warning",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
    ]
)
"""List headers, to which a proxy may add a line, as to those with the prefixes accept-, if- and sec-."""
MAX_LOGGED = 100  # distinct refusals; a page could cause any number of them


class _Refusal(NamedTuple):
    """Status and sentence of a refused request."""

    status: int
    sentence: str


class Guard:
    """Middleware that admits only requests of the app's own pages, listed origins and programs.

    Args:
        app: the app behind the guard.
        listening: the address or name to listen on (CHAT_HOST). Beyond loopback, `Host` may be any IP
            address, which no DNS server can redirect; names must be listed in either case.
        origins: further origins whose pages may send requests, with names allowed in `Host` (CHAT_ORIGINS).
        pages_port: the port of the development server's pages, which send requests to this server.
    """

    def __init__(
        self, app: ASGIApp, listening: str, origins: Sequence[Origin] = (), pages_port: int | None = None
    ) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._pages_port = pages_port
        self._sites = _OWN if pages_port is None else _OWN | {"same-site"}
        listening_at = Host(listening.lower().removesuffix("."))
        self._names = {"localhost", listening_at.name, *(origin.name for origin in origins)}
        address = listening_at.address
        self._addresses = listening_at.name != "localhost" if address is None else not address.is_loopback
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refused request or handshake with 403, and a malformed one with 400."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        self._log(refusal.sentence)
        if scope["type"] == "websocket":
            await receive()  # websocket.connect; closing before accepting answers the handshake with 403
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1008, "reason": refusal.sentence})
                return
        await PlainTextResponse(refusal.sentence, refusal.status)(scope, receive, send)

    def _refusal(self, scope: Scope) -> _Refusal | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        host = parse_host(hosts[0]) if len(hosts) == 1 else None
        if host is None or len(origins) > 1:
            return _Refusal(400, "A request must have one Host and at most one Origin.")
        if ambiguous := _ambiguous(headers):
            return _Refusal(400, f"A request may have only one {ambiguous} header.")
        if not self._is_served_at(host):
            return _unlisted("This app is not served at", f"http://{hosts[0]}", host.name)
        if origins:
            return self._origin_refusal(origins[0], host)
        if self._sites.issuperset(headers.getlist("sec-fetch-site")) or _follows_link(headers, scope):
            return None
        return _Refusal(403, "Pages of other sites cannot use this app.")

    def _is_served_at(self, host: Host) -> bool:
        address = host.address
        if address is None or host.name in self._names:
            return host.name in self._names
        return self._addresses or address.is_loopback

    def _origin_refusal(self, text: str, host: Host) -> _Refusal | None:
        """Return the refusal of an origin that is neither listed nor at `host`; None if it is accepted.

        The guard cannot know whether a request came by https. If a listed origin is at `host`, only listed
        origins are accepted there; otherwise, an origin with the port of the `Host` header is accepted.
        """
        origin = parse_origin(text)
        if origin is None:
            return _Refusal(403, "Pages without an origin cannot use this app.")
        if origin in self._origins:
            return None
        plain = origin.scheme == "http" or host.port is not None
        listed = any(known.is_at(host) for known in self._origins)
        if plain and not listed and origin.is_at(host):
            return None
        if self._pages_port == origin.port and origin.name == host.name:
            return None
        return _unlisted("This app does not accept requests from", str(origin), str(origin))

    def _log(self, sentence: str) -> None:
        if sentence not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add(sentence)
            _log.warning("Refused a request: %s", sentence)


def _ambiguous(headers: Headers) -> str | None:
    """Return the name of a header with two different values; None if there is none.

    A proxy that authenticates users adds a header; if it does not remove the client's header of that name,
    both arrive, and it is undefined which one is read. Lists may be split (RFC 9110, section 5.3).
    """
    for name in sorted(set(headers.keys()) - _LISTS):
        if not name.startswith(("accept-", "if-", "sec-")) and len(set(headers.getlist(name))) > 1:
            return name[:40]
    return None


def _unlisted(words: str, address: str, found: str) -> _Refusal:
    return _Refusal(403, f"{words} {found}. If this is your address, set CHAT_ORIGINS={address}")


def _follows_link(headers: Headers, scope: Scope) -> bool:
    """Return whether a request opens a page in a tab, as links of other sites may.

    The resource isolation policy makes this exception (https://web.dev/articles/fetch-metadata).
    """
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )
