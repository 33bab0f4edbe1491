"""Gate before the app: it knows the session of every request, and sends people without one to sign in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from reflex.config import get_config
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_app.accounts.accounts import accounts
from chat_app.accounts.cookie import is_https, with_session
from chat_app.extensions import PAGES
from chat_app.server.origins import Origin, parse_host
from chat_app.server.settings import load_settings

SIGN_IN = "/sign-in"
LINK = "/link"
_ENDED = 4401  # close code of a socket whose session has ended or has another role; 4000 to 4999 are the application's
MAX_NEXT = 2000  # characters of an address to return to


class SessionGate:
    """Middleware that puts the session's id in place of the browser's token, and ends what outlives the session.

    Pages are static and the same for everybody, so a socket without a session is let in: its events are
    refused (`TabOwnerCheck`), and pages for visitors work.

    Args:
        app: the app behind the gate.
        origins: further origins at which the app is reached.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[Origin]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or redirect a page to the sign-in."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope, session_id = with_session(scope, self._origins)
        known = accounts()
        if session_id is not None and known is not None and await known.sessions.load(session_id):
            with known.sessions.connection(session_id) as ended:
                await self._app(scope, *_until(ended, scope["type"], receive, send))
        elif _is_page(scope):
            await _to_sign_in(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _until(ended: asyncio.Event, kind: str, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return both callables of a connection; after `ended` they behave as if the client had gone.

    A request that has its answer in one piece, such as that of a sign-out, still gets it.
    """

    async def receive_until() -> Message:
        if not ended.is_set():
            ending = asyncio.ensure_future(ended.wait())
            arriving = asyncio.ensure_future(receive())
            try:
                await asyncio.wait({ending, arriving}, return_when=asyncio.FIRST_COMPLETED)
                if arriving.done() and not ended.is_set():
                    return arriving.result()
            finally:
                ending.cancel()
                arriving.cancel()
        if kind == "http":
            return {"type": "http.disconnect"}
        await send({"type": "websocket.close", "code": _ENDED, "reason": "Signed out."})
        return {"type": "websocket.disconnect", "code": _ENDED}

    async def send_until(message: Message) -> None:
        if ended.is_set() and kind == "http" and message.get("more_body"):
            raise OSError("The session has ended.")  # as a server does whose client has gone
        if not ended.is_set() or kind == "http":  # the answer to a sign-out arrives
            await send(message)

    return receive_until, send_until


def is_for_visitors(path: str) -> bool:
    """Return whether a path of the app is a page for people who are not signed in."""
    patterns = [
        re.sub(r"\\\[.*?\\\]", "[^/]+", re.escape(page.route)) for page in PAGES.values() if page.alone
    ]
    return any(re.fullmatch(pattern, path.rstrip("/") or "/") for pattern in patterns)


def safe_next(asked: str, base_path: str) -> str:
    """Return an address of this app to return to after the sign-in: the asked one, or the first page."""
    is_path = asked.startswith(f"{base_path}/") and not asked.startswith(("//", "/\\"))
    plain = asked.isascii() and asked.isprintable() and len(asked) <= MAX_NEXT and "\\" not in asked
    parts = urlsplit(asked) if is_path and plain else None
    if parts is None or parts.scheme or parts.netloc:
        return f"{base_path}/"
    return asked


def origin_of(request: Request) -> str:
    """Return the app's origin as the browser has asked for it: one of CHAT_ORIGINS, or the host, which the guard checks."""
    text, listed = request.headers.get("host", ""), load_settings().origins
    host = parse_host(text)
    here = [origin for origin in listed if host is not None and origin.is_at(host)]
    if here or listed:
        return str((here or listed)[0])
    return f"{'https' if is_https(request.scope, ()) else 'http'}://{text}"


def link_address(request: Request, token: str) -> str:
    """Return the whole address of a one-time link."""
    return f"{origin_of(request)}{request.scope.get('root_path', '')}{LINK}/{token}"


def pages_origin(host: str) -> str:
    """Return the origin of the pages in development, where another port serves them than this server; else "".

    Args:
        host: the Host header of a request to this server.
    """
    found, config = parse_host(host), get_config()
    if config.frontend_port == config.backend_port or found is None:
        return ""
    name = f"[{found.name}]" if ":" in found.name else found.name
    return f"http://{name}:{config.frontend_port}"


def sign_in_address(host: str, path: str) -> str:
    """Return the address of the sign-in that leads back to a page; whole, as in development the page is elsewhere.

    Args:
        host: the Host header of a request to this server.
        path: the page's path and query.
    """
    return f"http://{host}{SIGN_IN}?next={quote(path, safe='')}"


def _is_page(scope: Scope) -> bool:
    """Return whether a request opens a page in a tab, other than one for visitors or of the sign-in."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    headers = Headers(scope=scope)
    if (
        "text/html" not in headers.get("accept", "")
        or headers.get("sec-fetch-mode", "navigate") != "navigate"
    ):
        return False
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return not (path == SIGN_IN or path.startswith((f"{SIGN_IN}/", f"{LINK}/")) or is_for_visitors(path))


def _to_sign_in(scope: Scope) -> RedirectResponse:
    query = scope.get("query_string", b"").decode("latin-1")
    asked = quote(scope["path"]) + (f"?{query}" if query else "")
    base = scope.get("root_path", "")
    target = f"{base}{SIGN_IN}?next={quote(asked, safe='')}"
    return RedirectResponse(target, 303, {"Cache-Control": "no-store"})
