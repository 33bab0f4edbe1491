"""The app below a path of its origin, behind a proxy that takes the path off and behind one that does not."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class BasePath:
    """Gives every request the path that the browser asked for.

    The rest of it is then found, and redirected to, by the rules of ASGI's `root_path`
    (https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope).

    Args:
        app: what lies below the path.
        base_path: begins with a slash and does not end with one; "" for none.
    """

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app = app
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on with its whole path."""
        if self._base_path and scope["type"] in ("http", "websocket"):
            raw = scope.get("raw_path") or scope["path"].encode()
            scope = dict(
                scope,
                root_path=self._base_path,
                path=self._whole(scope["path"]),
                raw_path=self._whole(raw.decode("latin-1")).encode("latin-1"),
            )
        await self._app(scope, receive, send)

    def _whole(self, path: str) -> str:
        if path == self._base_path:
            return f"{path}/"
        return path if path.startswith(f"{self._base_path}/") else self._base_path + path
