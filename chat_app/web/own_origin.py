"""A plugin of Reflex's build: the pages ask the server that they came from.

Reflex writes host and port of the server into the pages. Behind a proxy, on a mapped port or below a path the
pages would ask an address that no server has. With this plugin they take all of that from the address bar, and only
the path of the pages themselves (Reflex's `frontend_path`) from the build.
"""

from __future__ import annotations

from typing import Any

from reflex import constants
from reflex.config import get_config
from reflex.environment import environment
from reflex.plugins import Plugin

ASKS = "export const getBackendURL = (url_str) => {"
"""The function in Reflex's `utils/state.js` through which a page finds the socket and every route."""
_OWN = """
  if (typeof window !== "undefined") {
    const asked = new URL(url_str ?? env.PING);
    const own = new URL(BASE_PATH + asked.pathname, window.location.origin);
    if (asked.protocol.startsWith("ws")) own.protocol = own.protocol.replace("http", "ws");
    return own;
  }"""
CONNECTS = "  io(endpoint.href, {"
"""Line of Reflex's script that opens the socket. Socket.IO takes the path of this address for the namespace, which is the server's."""
NAMED = "  io(endpoint.origin + new URL(EVENTURL).pathname, {"


class OwnOrigin(Plugin):
    """Replaces the server's address in the pages; not in development, where they come from another port."""

    def pre_compile(self, **context: Any) -> None:
        """Let Reflex write the changed function."""
        if not _in_development():
            context["add_modify_task"]("utils/state.js", ask_own_origin)

    def update_env_json(self, **context: Any) -> dict[str, Any] | None:
        """Return the routes without the port of the building machine: the build is the same everywhere."""
        if _in_development():
            return None
        backend = {
            endpoint.name: get_config().prepend_backend_path(str(endpoint)) for endpoint in constants.Endpoint
        }
        return {
            name: f"{'ws' if name == 'EVENT' else 'http'}://localhost{path}" for name, path in backend.items()
        }


def ask_own_origin(script: str) -> str:
    """Change the two places in Reflex's script; a script that is changed already stays.

    Raises:
        ValueError: Reflex has changed one of them.
    """
    base_path = get_config().frontend_path.rstrip("/")
    own = _OWN.replace("BASE_PATH", f'"{base_path}"')
    for place, change in ((ASKS, ASKS + own), (CONNECTS, NAMED)):
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
