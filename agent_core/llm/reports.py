"""Errors that a provider reports in the body of an answer, behind the status 200."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from agent_core.llm.wording import words_of_error

_STATUSES = {
    "rate": 429,
    "resource_exhausted": 429,
    "overloaded": 529,
    "unavailable": 503,
    "deadline": 504,
    "timeout": 504,
    "authentication": 401,
    "unauthenticated": 401,
    "unauthorized": 401,
    "permission": 403,
    "forbidden": 403,
    "billing": 402,
    "payment": 402,
    "insufficient": 402,
    "not_found": 404,
    "notfound": 404,
    "invalid": 400,
    "context_length": 400,
    "failed_precondition": 400,
}
"""Statuses by words that the codes and types of providers' errors contain."""


class ReportedError(Exception):
    """An error as the provider reports it.

    Attributes:
        message: its sentence.
        status_code: the HTTP status it would have had; 500 where nothing tells.
    """

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code


def reported(value: Mapping[str, Any]) -> ReportedError | None:
    """Return the error that a JSON object reports; None if it reports none.

    Understands OpenAI's and Google's {"error": {"message", "code", "type", "status"}}, Anthropic's
    {"type": "error", "error": {…}}, Ollama's {"error": "words"}, FastAPI's {"detail": "words"} and the
    bare {"code": 401, "message": "words"} of gateways.
    """
    error: Any = value.get("error")
    if not error:
        said = value.get("message") if isinstance(value.get("message"), str) else None
        said = (
            said
            or value.get("detail")
            or value.get("msg")
            or value.get("errors")
            or value.get("error_message")
        )
        if not said or "choices" in value or "candidates" in value or "content" in value:
            return None
        error = value
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", error) if isinstance(error, Mapping) else {}
    words = (
        words_of_error(error) or words_of_error(dict(value)) or "The provider reports an error without words."
    )
    codes = [fields.get(name) for name in ("code", "status", "status_code", "type")]
    return ReportedError(words, _status([*codes, value.get("code"), value.get("status")]))


def _status(codes: list[Any]) -> int:
    for code in codes:
        if isinstance(code, str) and code.isdigit():
            code = int(code)
        if isinstance(code, int) and 400 <= code < 600:
            return code
    named = " ".join(str(code).lower() for code in codes if isinstance(code, str))
    return next((status for word, status in _STATUSES.items() if word in named), 500)
