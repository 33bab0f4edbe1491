"""A plugin of Reflex's build: the pages ask the server that they came from.

Reflex writes host and port of the server into the pages. Behind a proxy, on a mapped port or below a path the
pages would ask a place where nobody is. With this plugin they take all of that from the address bar, and only
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

OWN = """
  if (typeof window !== "undefined") {
    const asked = new URL(url_str ?? env.PING);
    const own = new URL(BASE_PATH + asked.pathname, window.location.origin);
    if (asked.protocol.startsWith("ws")) own.protocol = own.protocol.replace("http", "ws");
    return own;
  }"""


class OwnOrigin(Plugin):
    """Replaces the server's address in the pages; not in development, where they come from another port."""

    def pre_compile(self, **context: Any) -> None:
        """Let Reflex write the changed function."""
        if not _in_development():
            context["add_modify_task"]("utils/state.js", ask_own_origin)

    def update_env_json(self, **context: Any) -> dict[str, Any] | None:
        """Return the routes without the port of whoever builds: the build is the same everywhere."""
        if _in_development():
            return None
        backend = {
            endpoint.name: get_config().prepend_backend_path(str(endpoint)) for endpoint in constants.Endpoint
        }
        return {
            name: f"{'ws' if name == 'EVENT' else 'http'}://localhost{path}" for name, path in backend.items()
        }


def ask_own_origin(script: str) -> str:
    """Change `getBackendURL` in Reflex's script; a script that is changed already stays.

    Raises:
        ValueError: Reflex has changed the function.
    """
    own = ASKS + OWN.replace("BASE_PATH", f'"{get_config().frontend_path.rstrip("/")}"')
    if own in script:
        return script
    if script.count(ASKS) != 1:
        raise ValueError(
            "Reflex's utils/state.js has another getBackendURL; see chat_app/serve/own_origin.py."
        )
    return script.replace(ASKS, own)


def _in_development() -> bool:
    return environment.REFLEX_ENV_MODE.get() == constants.Env.DEV
