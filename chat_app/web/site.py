"""ASGI app: Reflex's app behind the middleware."""

from __future__ import annotations

import logging

import reflex as rx
from reflex.config import get_config
from reflex.utils.prerequisites import get_web_dir
from reflex_base import constants
from reflex_base.environment import environment
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_core.domain.field_limits import MAX_VALUES, has_too_many_values
from agent_core.http import BodyRest
from chat_app.accounts.gate import SessionGate
from chat_app.server.pages import content_policy
from chat_app.server.settings import Settings, load_settings
from chat_app.web.guard import Guard
from chat_app.web.stopping import EndAtStop

_log = logging.getLogger(__name__)

HARDENING = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer, with which Chromium sends `Origin: null` for the app's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
IMMUTABLE = "public, max-age=31536000, immutable"
CLOSE_TOO_BIG = 1009  # RFC 6455, section 7.4.1


class Site(rx.App):
    """Reflex's app behind the guard.

    An `api_transformer` of Reflex stays inside its CORS middleware and its lifespan, so the guard wraps the
    whole app that Reflex returns.
    """

    def __call__(self) -> ASGIApp:
        """Return the app that the server runs; called once in each server process."""
        app, settings = SocketBounds(super().__call__()), load_settings()
        if settings.sign_in.has_sessions:
            app = SessionGate(app, settings.origins)
        if environment.REFLEX_ENV_MODE.get() == constants.Env.DEV:
            return EndAtStop(BodyRest(_in_development(app, settings)))
        guarded = Guard(_readable(app, settings), settings.host, settings.origins)
        policy = content_policy(get_web_dir() / constants.Dirs.STATIC)
        hardened = ResponseHeaders(guarded, policy, assets=f"{settings.base_path}/assets/")
        return EndAtStop(BodyRest(BasePath(hardened, settings.base_path)))


def _in_development(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return the app for pages that Vite serves from another port with its own headers, without base path."""
    port = get_config().frontend_port
    return Guard(_readable(app, settings, allow_origin_regex=".*"), settings.host, settings.origins, port)


def _readable(app: ASGIApp, settings: Settings, allow_origin_regex: str | None = None) -> ASGIApp:
    """Let pages of listed origins read responses; the guard refuses others, even if the regex allows any."""
    return CORSMiddleware(
        app,
        allow_origin_regex=allow_origin_regex,
        allow_origins=[str(origin) for origin in settings.origins],
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
    )


class BasePath:
    """Middleware that restores the path requested by the browser if a proxy has stripped the base path.

    Routing and redirects then follow the rules of ASGI's `root_path`
    (https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope).

    Args:
        app: the app below the base path.
        base_path: begins with a slash and does not end with one; "" for none.
    """

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app = app
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass every request on with its full path."""
        if self._base_path and scope["type"] in ("http", "websocket"):
            raw = scope.get("raw_path") or scope["path"].encode()
            scope = dict(
                scope,
                root_path=self._base_path,
                path=self._full_path(scope["path"]),
                raw_path=self._full_path(raw.decode("latin-1")).encode("latin-1"),
            )
        await self._app(scope, receive, send)

    def _full_path(self, path: str) -> str:
        if path == self._base_path:
            return f"{path}/"
        return path if path.startswith(f"{self._base_path}/") else self._base_path + path


class SocketBounds:
    """Middleware that closes a socket when one of its messages has more than `MAX_VALUES` JSON values.

    Reflex parses a message and walks its arguments on the event loop, which blocks every other tab.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass every message on, but replace one with too many values by a disconnect."""

        async def bounded() -> Message:
            message = await receive()
            text = message.get("text") or ""
            if len(text) <= MAX_VALUES or not has_too_many_values(text.encode("utf-8", "replace")):
                return message
            _log.warning("Closed a socket: its message had more than %d JSON values", MAX_VALUES)
            await send({"type": "websocket.close", "code": CLOSE_TOO_BIG, "reason": "Too many values."})
            return {"type": "websocket.disconnect", "code": CLOSE_TOO_BIG}

        await self._app(scope, bounded if scope["type"] == "websocket" else receive, send)


class ResponseHeaders:
    """Middleware that adds the default headers that a response lacks, and names each header once in Vary.

    Args:
        app: the app that responds.
        content_policy: the Content-Security-Policy of the pages.
        assets: the path of the files whose names contain hashes of their contents.
    """

    def __init__(self, app: ASGIApp, content_policy: str, assets: str) -> None:
        self._app = app
        self._headers = HARDENING | {"Content-Security-Policy": content_policy}
        self._assets = assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass every request on, and complete the headers of its response."""

        async def complete(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                self._complete(message, scope)
            await send(message)

        await self._app(scope, receive, complete)

    def _complete(self, message: Message, scope: Scope) -> None:
        message.setdefault("headers", [])
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        hashed = scope["path"].startswith(self._assets) and message["status"] in (200, 304)
        headers.setdefault("Cache-Control", IMMUTABLE if hashed else "no-cache")
        if named := headers.getlist("vary"):  # each layer with rules for origins writes its own line
            headers["Vary"] = ", ".join(dict.fromkeys(name.strip() for name in ",".join(named).split(",")))
        if location := headers.get("location"):
            headers["Location"] = _relative(location, Headers(scope=scope).get("host", ""))


def _relative(location: str, host: str) -> str:
    """Return a redirect target on this server without scheme and host, which differ behind a proxy.

    More than one leading slash would name another host.
    """
    for own in (f"http://{host}/", f"https://{host}/"):
        if host and location.startswith(own):
            return "/" + location.removeprefix(own).lstrip("/\\")
    return location
