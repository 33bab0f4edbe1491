"""Parsers of the settings' values: each takes the text of a variable and names the variable in its error.

Every parser raises `ValidationError` with a sentence that says what is valid.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from agent_core import Webhook
from agent_core.errors import ValidationError

WebhookSetting = Webhook | Literal["off"] | None
"""The webhook of the app; "off": the database's outbox is switched off; None: it is left as it is."""

Reach = Literal["any", "public", "none"]
"""MCP servers that administrators may add: at any address, at public ones only, or none."""

_HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_MAX_COUNT = 10_000
_REDIS_SCHEMES = ("redis", "rediss", "unix")


def is_one_word(value: str) -> bool:
    """Return whether a name has no spaces and no invisible characters, which copying text may add."""
    return value.isprintable() and " " not in value


def parse_model_name(name: str, value: str) -> str:
    """Return a model name, which is one word."""
    if not is_one_word(value):
        raise ValidationError(
            f"{name} is {value!r}; it must be a model name, such as openai/gpt-5-nano, or none."
        )
    return value


def parse_choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """Return the value if it is one of the allowed."""
    if value not in allowed:
        raise ValidationError(f"{name} is {value!r}; it must be one of: {', '.join(allowed)}.")
    return value


def parse_port(value: str) -> int:
    """Return a port, from 1 to 65535."""
    if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= 65535):
        raise ValidationError(f"CHAT_PORT is {value!r}; it must be a number from 1 to 65535, such as 3000.")
    return int(value)


def parse_listening(value: str) -> str:
    """Return an IP address or a name to listen on, without a scheme, brackets and a port."""
    try:
        ip_address(value)
    except ValueError:
        if not (_HOST_NAME.fullmatch(value) and any(map(str.isalpha, value))):
            raise ValidationError(
                f"CHAT_HOST is {value!r}; it must be an address or a name alone, such as 127.0.0.1, ::1 or 0.0.0.0. "
                "The port is CHAT_PORT, and public addresses are CHAT_ORIGINS."
            ) from None
    return value


def parse_http_url(name: str, value: str | None) -> str | None:
    """Return a URL to which a path can be appended, without its last slash; None without a value."""
    if value is None:
        return None
    if not is_http_url(value) or "?" in value:  # a query would swallow the path that is appended
        shown = (
            name if set(value) & set("@?#") else f"{name} is {value!r}; it"
        )  # the value may contain a password or a key
        raise ValidationError(f"{shown} must be an address such as http://127.0.0.1:1234/v1.")
    return value.rstrip("/")


def is_http_url(value: str) -> bool:
    """Return whether a text is a URL over HTTP, without blanks or a fragment."""
    try:
        parts = urlsplit(value)
        is_named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an IPv6 address without its bracket, or a port that is not a number
        return False
    return is_named and value.isprintable() and not set(value) & set(" #")


def parse_modules(value: str) -> tuple[str, ...]:
    """Return the names of Python modules, which are separated by commas."""
    names = tuple(name for part in value.split(",") if (name := part.strip()))
    for name in names:
        if not all(word.isidentifier() for word in name.split(".")):
            raise ValidationError(
                f"CHAT_EXTENSIONS contains {name!r}; it must be a comma-separated list of Python "
                "modules, such as examples.custom_page,mine."
            )
    return names


def parse_file(value: str | None) -> Path | None:
    """Return the absolute path of a file; None without a value."""
    return None if value is None else Path(value).expanduser().absolute()


def parse_switch(name: str, value: str) -> bool:
    """Return whether a switch is on; the value is 0 or 1."""
    if value not in ("0", "1"):
        raise ValidationError(f"{name} is {value!r}; it must be 1 for yes or 0 for no.")
    return value == "1"


def parse_count(name: str, value: str) -> int:
    """Return a number from 1 to `_MAX_COUNT`."""
    if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= _MAX_COUNT):
        raise ValidationError(f"{name} is {value!r}; it must be a number from 1 to {_MAX_COUNT}, such as 64.")
    return int(value)


def parse_limit(name: str, value: str) -> int | None:
    """Return a number from 1 to `_MAX_COUNT`; None for `none`."""
    if value == "none":
        return None
    try:
        return parse_count(name, value)
    except ValidationError:
        raise ValidationError(
            f"{name} is {value!r}; it must be a number from 1 to {_MAX_COUNT}, such as 4, or none."
        ) from None


def parse_seconds(name: str, value: str) -> float:
    """Return a number of seconds, from 0."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds < float("inf"):
        raise ValidationError(f"{name} is {value!r}; it must be a number of seconds from 0 on, such as 30.")
    return seconds


def parse_days(name: str, value: str) -> float | None:
    """Return a number of days above 0; None for `never`."""
    if value == "never":
        return None
    try:
        return parse_positive(name, value)
    except ValidationError:
        raise ValidationError(
            f"{name} is {value!r}; it must be a number of days above 0, such as 90, or never."
        ) from None


def parse_positive(name: str, value: str) -> float:
    """Return a number above 0."""
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise ValidationError(f"{name} is {value!r}; it must be a number above 0, such as 1 or 2.5.")
    return number


def parse_webhook(url: str | None, secrets: str | None) -> WebhookSetting:
    """Return the webhook with a URL and its secrets, which are separated by blanks."""
    if url == "off":
        return "off"
    if url is None and secrets is None:
        return None
    if url is None or secrets is None:
        missing, given = ("URL", "SECRET") if url is None else ("SECRET", "URL")
        raise ValidationError(
            f"CHAT_WEBHOOK_{given} is set without CHAT_WEBHOOK_{missing}; set both, or neither for no webhooks."
        )
    try:
        return Webhook(url, secrets.split())
    except ValidationError as error:  # it contains neither the URL nor a secret
        raise ValidationError(f"CHAT_WEBHOOK_URL or CHAT_WEBHOOK_SECRET is invalid: {error}") from None


def parse_reach(value: str | None, *, is_open: bool) -> Reach:
    """Return which MCP servers administrators may add; by default none if everybody may without sign-in."""
    allowed = get_args(Reach)
    return cast(Reach, parse_choice("CHAT_MCP_FORM", value or ("none" if is_open else "any"), allowed))


def is_redis_url(value: str) -> bool:
    """Return whether a text is the URL of a Redis server."""
    try:
        parts = urlsplit(value)
        found = parts.path if parts.scheme == "unix" else parts.hostname and parts.port != 0
    except ValueError:  # an IPv6 address without its bracket, or a port that is not a number
        return False
    return parts.scheme in _REDIS_SCHEMES and bool(found) and value.isprintable() and " " not in value


def redis_label(url: str) -> str:
    """Return a printable address of Redis: its URL without user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
