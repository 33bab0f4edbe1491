"""Build responses: values as JSON, and errors with a status, a message and a code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent_core import errors
from agent_core.errors import words_of
from agent_core.sentences import info_of
from agent_core.support.logs import get_logger
from agent_core.support.plain_json import as_json
from agent_core.text.redaction import hide_secrets

_log = get_logger(__name__)
_STATUS: dict[type[Exception], int] = {
    errors.ThreadNotFoundError: 404,
    errors.ToolCallNotFoundError: 404,
    errors.MessageNotFoundError: 404,  # before its base class ValidationError
    errors.ScheduleNotFoundError: 404,
    errors.DeadLetterNotFoundError: 404,
    errors.ThreadBusyError: 409,
    errors.DuplicateMessageError: 409,
    errors.ToolCallFinishedError: 409,
    errors.AmbiguousToolCallError: 409,
    errors.AccessDeniedError: 403,
    errors.ValidationError: 422,
    errors.DatabaseError: 503,
    errors.ToolServerError: 502,
    TimeoutError: 408,
}
"""The status of the first class that matches."""
_INTERNAL = "The server failed; its log has the details."


def answer(value: Any = None, status: int = 200) -> Response:
    """Return a response with `value` as JSON; None: an empty response (204)."""
    if value is None:
        return Response(status_code=204)
    return JSONResponse(as_json(value), status)


def refusal(request: Request, error: Exception) -> Response:
    """Return the response for an error: {"error": {"type", "message", "code", "params"}}, without a traceback.

    Errors without an `AgentCoreError.code` have no code and params.
    """
    if isinstance(error, HTTPException):
        return _refused("HTTPException", hide_secrets(error.detail), error.status_code, error.headers)
    status = logged_status(request, error)
    if status == 500:
        return _refused("InternalError", _INTERNAL, 500)
    return _refused(type(error).__name__, words_of(error) if str(error) else "The request timed out.", status)


def logged_status(request: Request, error: Exception) -> int:
    """Return the status for an exception; log one that is unexpected, which is 500."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    if status == 500:
        _log.error(
            "Unexpected error in %s %s; answered with status 500.",
            request.method,
            request.url.path,
            exc_info=error,
        )
    return status


def _refused(kind: str, message: str, status: int, headers: Any = None) -> Response:
    body = {"type": kind, "message": message, **(info_of(message) or {})}
    return JSONResponse({"error": body}, status, headers)


def guarded(endpoint: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Any]]:
    """Return an endpoint that answers exceptions with `refusal`."""

    async def run(request: Request) -> Any:
        try:
            return await endpoint(request)
        except Exception as error:
            return refusal(request, error)

    return run
