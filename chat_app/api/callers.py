"""Caller of a request from a program, or from a page of the app."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

from agent_core import CallContext
from agent_core.errors import AccessDeniedError
from chat_app.accounts.cookie import address_of
from chat_app.extensions import IDENTITY, caller
from chat_app.keys.key_ring import TooManyKeysError
from chat_app.keys.rows import PERIOD, PREFIX
from chat_app.session.service import note_seen, service

CHALLENGE = {"WWW-Authenticate": "Bearer"}
"""Header of a response with status 401 (RFC 9110, section 11.6.1)."""
CALLERS = "chat_app.callers"
"""Name, in the scope of a request with a key, of the list to which its caller is added."""
_READING = ("GET", "HEAD", "OPTIONS")


async def request_caller(request: Request) -> CallContext | None:
    """Return the user who sent a request, by a key or by the sign-in; None if the app has no users.

    Only `Authorization: Bearer` with the prefix of the app's keys is a key: a proxy may send other credentials
    in this header, and OpenAI's clients send some in any case.

    Raises:
        HTTPException: 401, the key is not valid, or nobody is signed in; 403, the key may only read; 429, too many
            wrong keys came from this address.
    """
    key = key_of(request)
    found = signed_in(request) if key is None else await _holder(request, key)
    note_seen(found)
    return found


def signed_in(request: Request) -> CallContext | None:
    """Return the user whom the sign-in identifies; None if the app has no users.

    Raises:
        HTTPException: 401, nobody is signed in.
    """
    try:
        return caller(request.headers)
    except AccessDeniedError:
        message = "Send a key of this app in the header Authorization: Bearer KEY, or sign in."
        raise HTTPException(401, message, CHALLENGE) from None


def key_of(request: Request) -> str | None:
    """Return the key in a request, whether it is valid or not."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token.startswith(PREFIX) else None


async def _holder(request: Request, key: str) -> CallContext:
    try:
        found = await service().keys.caller(key, address_of(request.scope))
    except AccessDeniedError as error:
        raise HTTPException(401, str(error), CHALLENGE) from None
    except TooManyKeysError as error:
        raise HTTPException(429, str(error), {"Retry-After": f"{PERIOD:.0f}"}) from None
    request.scope.get(CALLERS, []).append(found)
    if found.user_id is None and IDENTITY:
        message = "This key is nobody's, from before people signed in. Create one for a person."
        raise HTTPException(401, message, CHALLENGE)
    if (found.claims or {}).get("scope") == "read" and request.method not in _READING:
        raise HTTPException(403, "This key may only read. Create one with the scope write.")
    return found
