"""Answer errors in OpenAI's form: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent_core.errors import AccessDeniedError, ValidationError, words_of
from agent_core.http.responses import logged_status
from agent_core.text.redaction import hide_secrets

_INTERNAL = "The server failed; its log has the details."
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {
    401: "invalid_api_key",
    404: "unknown_url",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
    429: "too_many_keys",
}
"""Codes of refusals that come before the request is understood."""
NO_RETRY = {"x-should-retry": "false"}
"""Header that keeps OpenAI's clients from sending a request again, which would run the agent again."""


class RequestError(ValidationError):
    """A request cannot be answered.

    Args:
        message: what is wrong, and what to send.
        param: the parameter.
        code: stable identifier.
        status: status of the response.
        headers: headers of the response.
    """

    def __init__(
        self,
        message: str,
        param: str | None = None,
        *,
        code: str | None = None,
        status: int = 400,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.param = param
        self.error_code = code
        self.status = status
        self.headers = headers


class Failure(NamedTuple):
    """How a failed turn is reported: the status, the type and the code of the error."""

    status: int
    type: str
    code: str


_FAILURES = {
    "rate_limited": Failure(429, "rate_limit_error", "rate_limit_exceeded"),
    "insufficient_credits": Failure(429, "insufficient_quota", "insufficient_quota"),
    "context_window_exceeded": Failure(400, "invalid_request_error", "context_length_exceeded"),
    "invalid_request": Failure(400, "invalid_request_error", "invalid_prompt"),
}
_FAILED = Failure(502, "server_error", "server_error")


def failure_of(kind: str | None) -> Failure:
    """Return how a turn is reported that failed with a `ModelErrorKind`, or for another reason (None)."""
    return _FAILURES.get(kind or "", _FAILED)


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refusal(request: Request, error: Exception) -> Response:
    """Return the response for an error, without a traceback."""
    if isinstance(error, RequestError):
        body = error_body(words_of(error), _type(error.status), error.param, error.error_code)
        return JSONResponse(body, error.status, error.headers)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code)
        body = error_body(hide_secrets(error.detail), _type(error.status_code), code=code)
        return JSONResponse(body, error.status_code, error.headers)
    status = logged_status(request, error)
    if status == 422:  # the status of OpenAI for invalid parameters
        status = 400
    message = _INTERNAL if status == 500 else words_of(error)
    code = getattr(error, "code", None) or ("access_denied" if isinstance(error, AccessDeniedError) else None)
    return JSONResponse(error_body(message, _type(status), code=code), status)


def _type(status: int) -> str:
    return "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")


def guarded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that answers exceptions with `refusal`."""

    async def run(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:
            return refusal(request, error)

    return run
