"""Caller of a request from a program, or from a page of the app."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

from agent_core import CallContext
from agent_core.errors import AccessDeniedError
from chat_app.extensions import caller

CHALLENGE = {"WWW-Authenticate": "Bearer"}
"""Header of a response with status 401 (RFC 9110, section 11.6.1)."""


async def request_caller(request: Request) -> CallContext | None:
    """Return the user who sent a request; None if the app has no users.

    Raises:
        HTTPException: 401, nobody is signed in.
    """
    try:
        return caller(request.headers)
    except AccessDeniedError as error:
        raise HTTPException(401, str(error), CHALLENGE) from None
