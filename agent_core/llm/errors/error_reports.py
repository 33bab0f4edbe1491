"""Detect errors that a provider reports in the body of an answer with the status 200."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent_core.llm.errors.provider_message import words_of_error
from agent_core.support.plain_json import fields_of

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
    "invalid_token": 401,
    "api_key": 401,
    "invalid": 400,
    "context_length": 400,
    "failed_precondition": 400,
    "throttl": 429,
    "quota": 429,
    "accessdenied": 403,
    "arrear": 402,
    "inspection": 400,
    "validation": 400,
}
"""HTTP statuses by words in the codes and types of providers' errors."""


class ReportedError(Exception):
    """Error that a provider reports in an answer; `status_code` is the equivalent HTTP status, 500 if unknown."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code


_CODE = re.compile(r"[a-z]+(?:[_-][a-z]+)+")
_BESIDE = ("error_description", "message", "detail", "msg", "error_message")
_BARE = ("message", "detail", "msg", "errors", "error_message", "Message")
_ANSWER = ("choices", "candidates", "content", "usage", "delta", "done")


def reported(value: Mapping[str, Any]) -> ReportedError | None:
    """Return the error that a JSON object reports; None if it reports none.

    Supports OpenAI's and Google's {"error": {"message", "code", "type", "status"}}, Anthropic's
    {"type": "error", "error": {…}}, Ollama's {"error": "words"}, FastAPI's {"detail": "words"}, the bare
    {"code": 401, "message": "words"} of gateways, Groq's {"x_groq": {"error"}} and MiniMax's {"base_resp": {"status_code", "status_msg"}}.
    """
    groq = fields_of(value.get("x_groq")).get("error")  # errors in Groq's chunks
    error: Any = value.get("error") or groq or _bare(value)
    if not error:
        return reported(envelope) if (envelope := fields_of(value.get("data"))) else None
    fields = fields_of(error)
    codes = [fields.get(name) for name in ("code", "status", "status_code", "type", "__type")]
    words = words_of_error(error) or words_of_error(dict(value))
    if _CODE.fullmatch(words):  # {"error": "invalid_token", "error_description": "words"}
        codes.append(words)
        words = next((text for name in _BESIDE if (text := words_of_error(value.get(name)))), words)
    status = _status([*codes, value.get("code"), value.get("status")])
    return ReportedError(words or "The provider reports an error without words.", status)


def _bare(value: Mapping[str, Any]) -> Any:
    """Return an object that is an error itself, or contains one; None for an answer."""
    base = fields_of(value.get("base_resp"))
    if base.get("status_code"):
        return {"message": base.get("status_msg"), "code": base["status_code"]}
    said = any(value.get(name) and not isinstance(value[name], Mapping) for name in _BARE)
    return value if said and not any(name in value for name in _ANSWER) else None


def _status(codes: list[Any]) -> int:
    for code in codes:
        if isinstance(code, str) and code.isdigit():
            code = int(code)
        if isinstance(code, int) and 400 <= code < 600:
            return code
    named = " ".join(str(code).lower() for code in codes if isinstance(code, str))
    return next((status for word, status in _STATUSES.items() if word in named), 500)
