"""Classify the refusal of a request by its cause: a file in the request, or its length.

Collected from the answers of Anthropic, OpenAI, Gemini, Mistral, Groq, xAI, DeepSeek, Moonshot, Cerebras,
OpenRouter, Ollama, vLLM, llama.cpp, LM Studio, TGI, SGLang and of litellm itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent_core.errors import ModelError

_FILE = re.compile(
    r"\b(?:images?|image_url|input_image|pictures?|photos?|pdfs?|documents?|attachments?|(?:input_)?files?"
    r"|media|mime|mimetype|multi-?modal(?:ity)?|modalit(?:y|ies)|vision|visual|base64|audio|video|mmproj|clip|pixels?"
    r"|resolution|inline_?data|png|jpe?g|webp|gif|heic|heif|tiff?|bmp|svg)\b"
    r"|\bcontent part\b|\bheight or width\b|\b(?:fetch|download) (?:the )?content|图片|图像|文件|多模态",
    re.I,
)
_TEXT_ONLY = re.compile(
    r"content(?:\.str)?\W{1,3}(?:input )?should be a valid string|must be (?:a|of type) string|non-text content"
    r"|\bonly (?:supports? )?text\b|expected (?:a )?string, (?:received|got) array|unmarshal array into .{0,60}\bcontent\b|sequence, expected a string",
    re.I,
)
_OTHER_KINDS = ("auth", "insufficient_credits", "rate_limited", "network", "truncated")

_N = r"(?P<limit>\d[\d,_]*)(?P<thousands> ?k\b)?"
_LIMITS = tuple(
    re.compile(pattern, re.I | re.S)
    for pattern in (
        r"\bn_ctx:\s*" + _N,
        r"context limit:[^>]{0,80}>\s*" + _N,
        r"\d[\d,_]{2,}\)?(?: tokens)?\s*[>/]=?\s*(?:n_ctx \()?(?=\d{3})" + _N,
        r"should be \[\d+,\s*" + _N,
        r">\s*" + _N + r" (?:maximum|limit)",
        _N + r" (?:tokens? )?(?:maximum|max) (?:context|model)",
        r"must be <=? ?" + _N,
        r"must have (?:less|fewer) than " + _N + " tokens",
        r"(?:number of )?tokens allowed\W{1,3}" + _N,
        r"while (?:the )?limit is " + _N,
        r"\blimit:? " + _N,
        r"\bmax(?:imum)?(?: (?:input|prompt|total|number of|context))* tokens(?: is|:)? " + _N,
        r"less than " + _N + r"\. given",
        r"context is (?:only )?" + _N,
        r"(?:cannot exceed|exceed(?:s|ing)? the limit of|the maximum is|only supports?|greater than|longer than)"
        r"[^.;\d]{0,40}?" + _N,
        r"(?:maximum|max|model|context|available|configured|token)\b[^.;\d]{0,60}?"
        r"\b(?:length|size|window|limit)\b[^.;\d]{0,30}?" + _N,
        r"\bexceeds?\b(?! by)[^.;\d]{0,40}?" + _N,
        r"(?:超过|超出)[^。;\d]{0,20}" + _N,
    )
)
_USED = re.compile(
    r"\b(requested|received|given|got|actual|sent|supplied|current(?: length)?(?: is)?)(\W{1,3})(\d[\d,_]*)(?! output)",
    re.I,
)
"""A count that is named as the size of the request, and so is not the limit."""

_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:[\s'’]\d{3})+(?!\d)")
"""A number with spaces or marks between its digits."""

_CODE = re.compile(r"(?<=exceeds limit) \(\d{4}\)$")
"""MiniMax's own code of the error, which is no limit."""
_FIELD = re.compile(r"\bn_(ctx|prompt_tokens)\W{1,5}(\d+)")
_EXCESS = re.compile(r"exceed(?:s|ed)?\b[^.;\d]{0,60}\bby (\d[\d,_]*)", re.I)
_NUMBER = re.compile(r"\d[\d,_]*")
_MAX_RATIO = 100  # a number this many times the limit is not a count of tokens


@dataclass(frozen=True, slots=True)
class NamedWindow:
    """Counts that a provider names for a request that was too long, in its own tokens.

    Attributes:
        limit: maximum size of a request; 0 if unknown.
        used: size of the request; 0 if unknown.
        excess: number of tokens over the limit; 0 if unknown.
    """

    limit: int = 0
    used: int = 0
    excess: int = 0


def refuses_file(error: ModelError) -> bool:
    """Return whether a provider refused a request because of a file, according to its message."""
    if error.kind in _OTHER_KINDS or error.kind == "context_window_exceeded":
        return False
    words = str(error)
    if error.status == 413:  # too many bytes, which are those of files
        return True
    return bool(_FILE.search(words) or _TEXT_ONLY.search(words))


def refuses_something(error: ModelError) -> bool:
    """Return whether a provider refused the content of a request, for any reason."""
    return error.kind == "invalid_request" and error.status in (None, 400, 413, 415, 422)


def refuses_history(error: ModelError) -> bool:
    """Return whether the content of a request may be the cause of its failure, for any reason."""
    return error.kind in ("invalid_request", "unknown") and not error.retryable


def window_named(words: str, detail: str = "") -> NamedWindow | None:
    """Return the window that a refusal names; None if it names none.

    llama.cpp names it outside of its message `words`, elsewhere in its answer `detail`.
    """
    words = _CODE.sub("", _GROUPED.sub(lambda number: re.sub(r"\D", "", number[0]), words.rstrip(" .")))
    if excess := _EXCESS.search(words):
        return NamedWindow(excess=_number(excess[1]))
    limits = _USED.sub(r"\1\2-", words)
    for pattern in _LIMITS:
        if match := pattern.search(limits):
            limit = _number(match["limit"]) * (1_000 if match["thousands"] else 1)
            counted = [_number(found) for found in _NUMBER.findall(words)]
            return NamedWindow(limit, max((n for n in counted if limit < n <= limit * _MAX_RATIO), default=0))
    fields = {match[1]: _number(match[2]) for match in _FIELD.finditer(detail)}
    return NamedWindow(fields["ctx"], fields.get("prompt_tokens", 0)) if "ctx" in fields else None


def _number(text: str) -> int:
    digits = text.replace(",", "").replace("_", "")
    return int(digits) if len(digits) < 15 else 0
