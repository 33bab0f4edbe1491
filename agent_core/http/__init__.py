"""The public API over HTTP: an ASGI app that any server runs and any Starlette app mounts.

`docs/reference/http.md` lists the paths. Starlette is imported here and nowhere else in agent_core.
"""

from __future__ import annotations

from agent_core.http.app import make_app, mount_app
from agent_core.http.request_body import read_body
from agent_core.http.requests import body_of

__all__ = ["body_of", "make_app", "mount_app", "read_body"]
