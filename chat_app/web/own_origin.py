"""Plugin of Reflex's build that makes the pages connect to the server that they were loaded from.

Reflex writes host and port of the server into the pages. Behind a proxy, on a mapped port or below a path,
the pages would connect to an address without a server. With this plugin, they take scheme, host and port from
the address bar, and only the path of the pages (Reflex's `frontend_path`) from the build.
"""

from __future__ import annotations

from typing import Any

from reflex import constants
from reflex.config import get_config
from reflex.environment import environment
from reflex.plugins import Plugin

ADDRESS_FUNCTION = "export const getBackendURL = (url_str) => {"
"""Function in Reflex's `utils/state.js` that returns the address of the socket and of every route."""
_OWN = """
  if (typeof window !== "undefined") {
    const asked = new URL(url_str ?? env.PING);
    const own = new URL(BASE_PATH + asked.pathname, window.location.origin);
    if (asked.protocol.startsWith("ws")) own.protocol = own.protocol.replace("http", "ws");
    return own;
  }"""
CONNECT_LINE = "  io(endpoint.href, {"
"""Line in Reflex's script that opens the socket.

Socket.IO takes the path of this address as the namespace, which must be the server's, without
`frontend_path`.
"""
CONNECT_LINE_WITH_PATH = "  io(endpoint.origin + new URL(EVENTURL).pathname, {"


class OwnOrigin(Plugin):
    """Plugin that replaces the server's address in the pages, except in development with its two ports."""

    def pre_compile(self, **context: Any) -> None:
        """Register the change of Reflex's script with the build."""
        if not _in_development():
            context["add_modify_task"]("utils/state.js", use_own_origin)

    def update_env_json(self, **context: Any) -> dict[str, Any] | None:
        """Return the routes without the build machine's port, so that the build is the same everywhere."""
        if _in_development():
            return None
        backend = {
            endpoint.name: get_config().prepend_backend_path(str(endpoint)) for endpoint in constants.Endpoint
        }
        return {
            name: f"{'ws' if name == 'EVENT' else 'http'}://localhost{path}" for name, path in backend.items()
        }


def use_own_origin(script: str) -> str:
    """Return Reflex's script with both places changed; a changed script is returned as it is.

    Raises:
        ValueError: a new version of Reflex has changed one of the places.
    """
    base_path = get_config().frontend_path.rstrip("/")
    own = _OWN.replace("BASE_PATH", f'"{base_path}"')
    for place, change in ((ADDRESS_FUNCTION, ADDRESS_FUNCTION + own), (CONNECT_LINE, CONNECT_LINE_WITH_PATH)):
        if change in script:
            continue
        if script.count(place) != 1:
            raise ValueError(
                f"Reflex's utils/state.js has no single {place.strip()!r}: see web/own_origin.py."
            )
        script = script.replace(place, change)
    return script


def _in_development() -> bool:
    return environment.REFLEX_ENV_MODE.get() == constants.Env.DEV
