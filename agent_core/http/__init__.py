"""Serve the public API over HTTP, as an ASGI app for any server or Starlette app.

`docs/reference/http.md` lists the paths. Nothing else in agent_core imports Starlette.
"""

from __future__ import annotations

from agent_core.http.app import make_app, mount_app
from agent_core.http.body_rest import BodyRest
from agent_core.http.openai import make_openai_app
from agent_core.http.requests import body_of, read_body
from agent_core.http.responses import answer as json_response
from agent_core.http.responses import guarded, refusal

__all__ = [
    "BodyRest",
    "body_of",
    "guarded",
    "json_response",
    "make_app",
    "make_openai_app",
    "mount_app",
    "read_body",
    "refusal",
]
