"""Routes with which a person signs in at an MCP server: to the server, and back."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from agent_core.errors import AgentCoreError, words_of
from agent_core.support.logs import get_logger
from chat_app.accounts.gate import origin_of, pages_origin
from chat_app.api.callers import signed_in
from chat_app.server.settings import load_settings
from chat_app.session.service import service

CONNECT, CALLBACK = "/mcp-servers/connect/{name}", "/mcp-servers/callback"
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_TAKEN = ("code", "iss", "error")
"""Parameters of the redirect that are passed on, beside the state."""
_log = get_logger(__name__)


async def _connect(request: Request) -> Response:
    """Send the browser of a person to a server at which people sign in; if that is not possible, to the settings."""
    user_id, servers = _user_id(request), service().mcp_servers
    found = servers.personal(request.path_params["name"])
    if found is None:
        return _to_settings(request, "gone", "")
    server_id, server = found
    here = f"{origin_of(request)}{_base(request)}{CALLBACK}"
    name = load_settings().branding.name
    try:
        url = await servers.sign_ins.begin(server, server_id, user_id, name, here)
    except AgentCoreError as error:
        _log.warning("A sign-in at the MCP server %s cannot begin: %s", server.name, words_of(error))
        return _to_settings(request, "unreachable", server.name)
    return RedirectResponse(url, 303, headers=_PRIVATE)


async def _back(request: Request) -> Response:
    """Take what a server sends back with the browser, and show in the person's settings how the sign-in ended."""
    given, servers = request.query_params, service().mcp_servers
    answer = {name: given[name] for name in _TAKEN if name in given}
    answer["state"] = given.get("state", "")
    server_id, outcome = await servers.sign_ins.finish(answer["state"], _user_id(request), answer)
    return _to_settings(request, outcome, servers.name_of(server_id))


def _to_settings(request: Request, outcome: str, name: str) -> Response:
    pages = pages_origin(request.headers.get("host", ""))
    query = urlencode({"connection": outcome, "server": name})
    return RedirectResponse(f"{pages}{_base(request)}/settings?{query}", 303, headers=_PRIVATE)


def _user_id(request: Request) -> str:
    ctx = signed_in(request)
    return (ctx.user_id if ctx else None) or ""


def _base(request: Request) -> str:
    return urlsplit(str(request.scope.get("root_path", ""))).path


CONNECT_ROUTES = [Route(CONNECT, _connect, methods=["GET"]), Route(CALLBACK, _back, methods=["GET"])]
