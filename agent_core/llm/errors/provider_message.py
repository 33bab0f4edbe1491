"""Extract a provider's own message from an exception of a vendor, with secrets hidden."""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Iterable
from typing import Any, cast

from agent_core.support.plain_json import fields_of, items_of
from agent_core.text.redaction import hide_secrets

_WRAPPING = re.compile(
    r"^\s*(?:[A-Za-z_]*Exception\s+)?(?:litellm\.)?[A-Za-z_]*(?:Error|Exception|Timeout|Timeout Error)\s*(?::|\s-)\s*"
    r"|^\s*Error_str:\s*|^\s*Error code: \d{3}(?:\s-\s|$)"
)
_TAIL = re.compile(
    r"[\s,]*(?:Original exception: |LiteLLM Retried: |LiteLLM Max Retries: |Error_str: |Received Chunk="
    r"|\.? Handle with `litellm|Traceback \(most recent call last\)).*$",
    re.S,
)
_MAX_MESSAGE = 1000


def provider_sentence(message: str, secrets: Iterable[str] = ()) -> str:
    """Return the provider's message on one line, at most 1,000 characters; "" if there is none.

    An exception's `message` has prefixes and JSON around it. Hidden are `secrets` and the keys in the environment.
    """
    text = _TAIL.sub("", message)
    while (shorter := _WRAPPING.sub("", text, count=1)) != text:
        text = shorter
    text = _unquote(text.strip())
    text = _from_json(text) or text
    if "<html" in text.lower() or "<!doctype" in text.lower():
        text = _from_html(text)
    text = hide_secrets(" ".join(text.split()), secrets)
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"


def _from_json(text: str) -> str:
    """Return the message in a JSON (or Python) literal that is, or ends, a text."""
    start = min((place for place in (text.find("{"), text.find("[{")) if place >= 0), default=-1)
    if start < 0:
        return ""
    for read in (json.loads, ast.literal_eval):
        try:
            return words_of_error(read(text[start:].strip()))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return ""


def _unquote(text: str) -> str:
    """Return the value of a text that is one JSON string, or one Python bytes literal as in litellm."""
    if text.startswith(("b'", 'b"')):
        try:
            text = cast(bytes, ast.literal_eval(text)).decode("utf-8", "replace")
        except (ValueError, SyntaxError, AttributeError):
            text = text[2:-1]
    if len(text) > 1 and text[0] == text[-1] == '"':
        with contextlib.suppress(ValueError):
            return str(json.loads(text))
    return text


def words_of_error(value: Any) -> str:
    """Return the message of an error object in the form of any known provider."""
    if isinstance(value, str):
        return value
    if items := items_of(value):
        return words_of_error(items[0])
    fields = fields_of(value)
    for name in ("error", "message", "detail", "msg", "error_message", "errors", "Message", "data"):
        inner: Any = fields.get(name)
        if (
            name in fields
            and (words := words_of_error(inner))
            and not (name == "data" and isinstance(inner, str))
        ):
            return words
    return ""


def _from_html(text: str) -> str:
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    words = (
        title.group(1)
        if title
        else re.sub(r"<(?:script|style).*?</(?:script|style)>|<[^>]*>", " ", text, flags=re.S)
    )
    return " ".join(words.split()) or "an HTML page instead of an answer"
