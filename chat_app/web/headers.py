"""Headers of every answer: what a browser may do with it, and for how long it may keep it."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HARDENING = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer, with which Chromium sends `Origin: null` for the app's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
FOR_EVER = "public, max-age=31536000, immutable"


class AnswerHeaders:
    """Adds to each answer the headers that it does not have itself.

    Args:
        app: what answers.
        content_policy: the Content-Security-Policy of the pages.
        assets: the path of the files whose names hold hashes of what is in them.
    """

    def __init__(self, app: ASGIApp, content_policy: str, assets: str) -> None:
        self._app = app
        self._headers = HARDENING | {"Content-Security-Policy": content_policy}
        self._assets = assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and complete what answers begin with."""

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
        headers.setdefault("Cache-Control", FOR_EVER if hashed else "no-cache")
        if location := headers.get("location"):
            headers["Location"] = _relative(location, Headers(scope=scope).get("host", ""))


def _relative(location: str, host: str) -> str:
    """Leave scheme and host out of an address of our own: a proxy's are others.

    More than one slash at the beginning would name another host.
    """
    for own in (f"http://{host}/", f"https://{host}/"):
        if host and location.startswith(own):
            return "/" + location.removeprefix(own).lstrip("/\\")
    return location
