"""Each agent as a tool of an MCP server, at `/mcp`."""

from __future__ import annotations

import importlib.util

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from agent_core import AgentApi
from agent_core.http import refusal
from chat_app.api.callers import request_caller
from chat_app.extensions import OFFERED

_MISSING = 'This app has no MCP server: pip install "reflex-durable-agents[mcp]"'


class McpEndpoint:
    """ASGI app of the path; the package mcp, which takes most of a second to import, is loaded when it is asked."""

    def __init__(self, api: AgentApi) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of the caller whom the key or the sign-in names."""
        request = Request(scope, receive)
        try:
            if importlib.util.find_spec("mcp") is None:
                raise HTTPException(501, _MISSING)
            ctx = await request_caller(request)
        except HTTPException as error:
            await refusal(request, error)(scope, receive, send)
            return
        from agent_core.mcp.agent_server import serve_agents

        await serve_agents(self._api, _descriptions(self._api.agent.name), ctx, scope, receive, send)


def _descriptions(own: str) -> dict[str, str]:
    """Return what each offered agent says of itself to models that may call it."""
    found = {own: "Ask this app's assistant, which remembers the conversation."}
    return found | {name: f"Ask the agent {title}." for name, title in OFFERED.items()}
