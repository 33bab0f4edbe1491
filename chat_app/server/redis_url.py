"""URLs of Redis servers, as redis-py reads them."""

from __future__ import annotations

from urllib.parse import urlsplit

_SCHEMES = ("redis", "rediss", "unix")


def is_redis_url(value: str) -> bool:
    """Return whether a text is the URL of a Redis server."""
    try:
        parts = urlsplit(value)
        found = parts.path if parts.scheme == "unix" else parts.hostname and parts.port != 0
    except ValueError:  # an IPv6 address without its bracket, or a port that is not a number
        return False
    return parts.scheme in _SCHEMES and bool(found) and value.isprintable() and " " not in value


def redis_label(url: str) -> str:
    """Return a printable address of Redis: its URL without user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
