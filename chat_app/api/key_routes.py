"""Routes with which the settings page creates, lists and revokes a person's keys.

A key travels in a response, not in the state of a tab, which Redis may hold. The routes take no key: one that leaked
cannot make others.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_core.errors import AccessDeniedError, ValidationError
from agent_core.http import body_of, guarded, json_response
from chat_app.api.callers import signed_in
from chat_app.database.tables import KeyRow
from chat_app.extensions import check_may_administer
from chat_app.keys.rows import SCOPES
from chat_app.session.service import service

_MAX_BODY = 10_000  # bytes


async def _list(request: Request) -> Response:
    """Return the caller's keys, without their secrets, and the scopes that the caller may choose."""
    ctx = signed_in(request)
    scopes = list(SCOPES)
    try:
        check_may_administer(ctx)
    except AccessDeniedError:
        scopes.remove("admin")
    keys = await service().keys.list(ctx.user_id if ctx else None)
    return json_response({"keys": [_shown(row) for row in keys], "scopes": scopes})


async def _create(request: Request) -> Response:
    """Create a key of the caller, and return it this once."""
    ctx = signed_in(request)
    body = await body_of(request, _MAX_BODY)
    name, scope, days = body.get("name"), body.get("scope", "write"), body.get("days")
    if not isinstance(name, str) or not isinstance(scope, str):
        raise ValidationError("A key needs a name and a scope.")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int | float)):
        raise ValidationError("days must be a number.")
    if scope == "admin":
        check_may_administer(ctx)
    made = await service().keys.create(name, scope, ctx.user_id if ctx else None, days)
    return json_response(_shown(made.row) | {"secret": made.secret}, 201)


async def _revoke(request: Request) -> Response:
    """Revoke a key of the caller."""
    ctx = signed_in(request)
    await service().keys.revoke(request.path_params["key_id"], ctx.user_id if ctx else None)
    return json_response(None)


def _shown(row: KeyRow) -> dict[str, Any]:
    return row.model_dump(exclude={"key_hash", "user_id", "revoked_at"})


KEY_ROUTES = [
    Route("/keys", guarded(_list), methods=["GET"]),
    Route("/keys", guarded(_create), methods=["POST"]),
    Route("/keys/{key_id}", guarded(_revoke), methods=["DELETE"]),
]
