"""Translate vendors' exceptions to `ModelError`: kind, retryable, retry_after and message.

Both status and class are checked, because neither is reliable in litellm: a refused connection
and a missing key have the status 500, and an overloaded strict server's 503 is a BadRequestError.
Classes are identified by name, so that this module does not import litellm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from agent_core.errors import ModelError, ModelErrorKind
from agent_core.llm.errors.error_reports import ReportedError, reported
from agent_core.llm.errors.network_errors import causes, is_transport
from agent_core.llm.errors.provider_message import provider_sentence
from agent_core.sentences import sentence
from agent_core.support.retry import parse_retry_after
from agent_core.text.redaction import hide_secrets

_RETRYABLE: frozenset[ModelErrorKind] = frozenset({"network", "rate_limited", "provider_5xx", "truncated"})

_OUT_OF_CREDIT = re.compile(
    r"insufficient[_ ](?:quota|credits|balance|funds)|credit balance is too low|payment required"
    r"|billing[_ ](?:hard[_ ]limit|not[_ ]active)|account is not active",
    re.I,
)
_OVER_QUOTA = re.compile(r"exceeded your current quota", re.I)
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context window|prompt (?:is )?too long|input is too long"
    r"|(?:maximum|max|available|model'?s?|exceeded|exceeds the) context (?:length|size|limit)|context length of only"
    r"|maximum (?:prompt|model) length|maximum allowed length|longer than the (?:maximum|model)|exceed context limit"
    r"|model token limit|input tokens exceed|length exceeds the context|tokens` \+ `max_new_tokens` must be"
    r"|must have (?:less|fewer) than \d+ tokens|input token count .{0,80}exceeds|too many (?:input )?tokens"
    r"|reduce the length|input length should be|token limit exceeded|context size exceeded"
    r"|\b(?:prompt|inputs?|context)\b[^.;]{0,40}\b(?:length|window|tokens?)\b[^.;]{0,40}"
    r"\b(?:exceed(?:s|ing)?|greater than|longer than|larger than|only supports?|must be <=)(?!\w)"
    r"|context[ _-](?:window|length|size|limit)[ _-]exceeded|context[_-]too[_-]long|too long to fit|n_keep .{0,20}n_ctx"
    r"|reached (?:the )?context (?:length|size|limit)|the model'?s context is"
    r"|tokens to keep [^.;]{0,60}context|`inputs` tokens|`truncate` must be|maximum supported sequence"
    r"|\b(?:prompt|inputs?|sequence length|conversation|(?:total|number|sum)(?: number)? of (?:\w+ )?tokens"
    r"|total tokens)\b(?! ?(?:name|id)\b)[^.;]{0,60}\bexceeds? (?:the )?(?:model'?s? )?(?:max|maximum|limit|context)\b"
    r"|must not exceed (?:the )?context|(?:token|输入|上下文)[^。;\n]{0,30}(?:超过|超出)|(?:prompt|输入|上下文) ?超长"
    r"|max size: \d+ tokens",
    re.I,
)
_LONG_FIELD = re.compile(r"string too long\. expected a string with maximum length", re.I)
"""The length of one field, such as a call's id, which litellm takes for the length of the request."""

_ONLY_ONE_MESSAGE = re.compile(r"request too large for model\b.{0,200}\btokens? per\b", re.I | re.S)
"""A request that alone has more tokens than the account may send in a minute, which no wait changes."""
_NO_KEY = re.compile(
    r"missing credentials|missing .{0,30}api key|api key not (?:valid|found)|no api key"
    r"|incorrect api key|invalid (?:x-)?api[- ]key|api_key client option must be set|default credentials were not found",
    re.I,
)
_NAMED: tuple[tuple[re.Pattern[str], ModelErrorKind], ...] = (
    (re.compile(r"\b(?:Throttling|TooManyRequests)\w*Exception"), "rate_limited"),
    (
        re.compile(r"\b(?:ServiceUnavailable|InternalServer|ModelTimeout|ModelNotReady)\w*Exception"),
        "provider_5xx",
    ),
    (re.compile(r"\b(?:AccessDenied|UnrecognizedClient|ExpiredToken)\w*Exception"), "auth"),
)
"""Kinds by names of AWS exceptions, which also have the status 400."""

_UNREACHABLE = re.compile(
    r"connection (?:error|refused|reset|aborted)|cannot connect|getaddrinfo|name or service not known"
    r"|server disconnected|payload is not completed|peer closed connection|incomplete chunked read",
    re.I,
)
_NETWORK_CLASSES = frozenset(
    {
        "APIConnectionError",
        "APITimeoutError",
        "ClientError",
        "ConnectionError",
        "JSONDecodeError",
        "Timeout",
        "TimeoutError",
        "TransportError",
    }
)

_MAX_DETAIL = 10_000  # maximum characters of a provider's answer

_ADVICE: dict[ModelErrorKind, str] = {
    "auth": "Check the provider's API key.",
    "network": "Check the connection and the server's address.",
    "insufficient_credits": "Check the plan and the balance of the provider's account.",
    "context_window_exceeded": "Shorten the message or start a new thread.",
}


def to_model_error(error: BaseException, *, model: str = "", secrets: Iterable[str] = ()) -> ModelError:
    """Return the `ModelError` for an exception of an adapter's library; one among its causes is returned as is.

    The message is the provider's own; advice is in a note (PEP 678), which a traceback shows and
    a thread's `error` does not: pages show advice in the person's language, by the kind.

    Args:
        error: the exception; its causes are checked, too.
        model: name of the model, for the message.
        secrets: values to hide in the message.
    """
    chain = list(_chain(error))
    if ours := next((link for link in chain if isinstance(link, ModelError)), None):
        return ours
    if missing := next((link for link in chain if isinstance(link, ImportError)), None):
        words = hide_secrets(str(missing), secrets)
        return ModelError(sentence("model_package_missing", words=words))
    report = _reported(chain)
    status = status_of(error) if report is None else report.status_code
    kind = _kind(chain, status)
    words = _words(error if report is None else report, model, secrets)
    if kind == "network":
        words = _network_words(words, chain, model)
    found = ModelError(
        _sentence(words, status, model),
        kind=kind,
        retryable=kind in _RETRYABLE,
        retry_after=_retry_after(chain) if kind in _RETRYABLE else None,
        status=status,
    )
    found.detail = hide_secrets("\n".join(_text_of(link) for link in chain), secrets)[:_MAX_DETAIL]
    if advice := _advice(kind, status, model):
        found.add_note(advice)
    return found


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all of its causes, each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [getattr(link, "original_exception", None), link.__cause__, link.__context__]


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error or one of its causes; None if there is none."""
    for link in causes(error):
        answer = getattr(link, "response", None)
        named = (
            (link, "status_code"),
            (link, "status"),
            (answer, "status_code"),
            (answer, "status"),
            (link, "code"),
        )
        for owner, name in named:
            value = getattr(owner, name, None)
            if isinstance(value, str | int) and re.fullmatch(r"[1-5]\d\d", str(value)):
                return int(value)
    return None


def _reported(chain: Iterable[BaseException]) -> ReportedError | None:
    """Return the error that the provider reported in an answer with the status 200.

    The openai package raises a bare `APIError` for it, with the report as its `body`.
    """
    for link in chain:
        if isinstance(link, ReportedError):
            return link
        body: object = getattr(link, "body", None)
        if type(link).__name__ == "APIError" and body and getattr(link, "status_code", None) is None:
            return reported({"error": body})
    return None


def _kind(chain: list[BaseException], status: int | None) -> ModelErrorKind:
    text = "\n".join(_text_of(link) for link in chain)
    if final := _kind_of_words(text, status, chain[0]):
        return final
    for name, kind in _NAMED if status in (None, 400) else ():
        if name.search(text):
            return kind
    classes = {base.__name__ for link in chain for base in type(link).__mro__}
    if status in (401, 403):
        return "auth"
    if status == 429 or ("RateLimitError" in classes and status is None):
        return "rate_limited"
    if status == 408 or _UNREACHABLE.search(text) or _is_broken_stream(chain, classes):
        return "network"
    if status is not None and status >= 500:
        return "provider_5xx"
    if status is not None and status >= 400:
        return "invalid_request"
    return "network" if classes & _NETWORK_CLASSES or is_transport(chain[0]) else "unknown"


def _kind_of_words(text: str, status: int | None, error: BaseException) -> ModelErrorKind | None:
    """Return the kind of an error that must not be retried, from the provider's message, with any status."""
    # "exceeded your current quota" is a limit per minute at Gemini, and an empty account at OpenAI.
    is_google = str(getattr(error, "llm_provider", "")).startswith(("gemini", "vertex"))
    spent = _OUT_OF_CREDIT.search(text) or (_OVER_QUOTA.search(text) and not is_google)
    if status == 402 or spent or type(error).__name__ == "BudgetExceededError":
        return "insufficient_credits"
    too_long = status in (None, 400, 413, 422, 500) and _TOO_LONG.search(text)
    too_large = status in (None, 400, 413, 429) and _ONLY_ONE_MESSAGE.search(text)
    named = type(error).__name__ == "ContextWindowExceededError" and not _LONG_FIELD.search(text)
    if named or too_long or too_large:
        return "context_window_exceeded"
    if _NO_KEY.search(text) and status in (None, 400, 401, 403, 500):
        return "auth"
    return None


def _is_broken_stream(chain: list[BaseException], classes: set[str]) -> bool:
    """Return whether a stream broke (drop, bad JSON, stall) rather than reported an error."""
    if type(chain[0]).__name__ not in ("MidStreamFallbackError", "APIConnectionError"):
        return False
    return bool((classes - {"APIConnectionError"}) & _NETWORK_CLASSES)


def _words(error: BaseException, model: str, secrets: Iterable[str]) -> str:
    origin = cast("BaseException | None", getattr(error, "original_exception", None)) or error
    message = str(getattr(origin, "message", "") or _text_of(origin))
    if "LLM Provider NOT provided" in message:
        return sentence("model_provider_unknown", model=model)
    return provider_sentence(message, secrets)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a __str__ that fails itself
        return ""


def _network_words(words: str, chain: list[BaseException], model: str) -> str:
    """Return a description of a network error that is more specific than "Connection error"."""
    code = "model_unreachable"
    if type(chain[0]).__name__ == "MidStreamFallbackError":
        code = "model_interrupted"
    elif any("Timeout" in type(link).__name__ for link in chain):
        code = "model_timed_out"
    if not words:
        return sentence(code, model=model)
    return sentence(f"{code}_because", model=model, words=_ended(words))


def _sentence(words: str, status: int | None, model: str) -> str:
    if words:
        return _ended(words)
    if status:
        return sentence("model_failed_with_status", model=model, status=status)
    return sentence("model_failed", model=model)


def _ended(words: str) -> str:
    return words if words[-1] in ".!?…" else f"{words}."


def _advice(kind: ModelErrorKind, status: int | None, model: str) -> str:
    if status == 404 and kind == "invalid_request":
        return f"Check the model's name{f' ({model})' if model else ''}."
    return _ADVICE.get(kind, "")


def _retry_after(chain: list[BaseException]) -> float | None:
    """Return the seconds that a provider asked to wait, from `retry-after-ms` or `retry-after`."""
    for headers in _headers(chain):
        fields = {str(name).lower(): str(value) for name, value in headers.items()}
        if (seconds := parse_retry_after(fields.get("retry-after-ms"), 0.001)) is not None:
            return seconds
        if (seconds := parse_retry_after(fields.get("retry-after"))) is not None:
            return seconds
    return None


def _headers(chain: list[BaseException]) -> Iterator[Mapping[Any, Any]]:
    for link in chain:
        response: object = getattr(link, "response", None)
        for owner, name in ((link, "litellm_response_headers"), (link, "headers"), (response, "headers")):
            found: object = getattr(owner, name, None)
            if isinstance(found, Mapping):
                yield cast("Mapping[Any, Any]", found)
