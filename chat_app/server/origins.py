"""Origins and hosts as browsers send them: https://example.org, [::1]:3000 (RFC 6454, RFC 9112 section 3.2).

Two spellings of one place compare equal: letters in lower case, IPv6 addresses in their short form,
no dot at the end, default ports spelled out. What is not exactly an origin or a host is neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import idna

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::([0-9]{0,5}))?")
_ORIGIN = re.compile(r"(https?)://(.+)", re.IGNORECASE)
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")


@dataclass(frozen=True, slots=True)
class Host:
    """A name or an address, and the port behind it; None where none is written."""

    name: str
    port: int | None = None

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """Return the IP address, or None for a name, which DNS may point anywhere."""
        try:
            return ip_address(self.name)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Origin:
    """A scheme, a name and a port: what a browser keeps apart from the rest of the web."""

    scheme: str
    name: str
    port: int

    def __str__(self) -> str:
        """Return the origin as a browser sends it, without a default port."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{name}{port}"

    def is_at(self, host: Host) -> bool:
        """Whether a request for this origin names `host`."""
        return self.name == host.name and self.port == (host.port or _DEFAULT_PORTS[self.scheme])


def parse_host(text: str) -> Host | None:
    """Read a Host header; None for anything else, such as user@host or two names."""
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    name, port = _plain_name(found[1]), int(found[2]) if found[2] else None
    return Host(name, port) if name and (port is None or 0 < port < 65536) else None


def parse_origin(text: str) -> Origin | None:
    """Read an Origin header; None for anything else, such as null, a URL with a path, or another scheme."""
    found = _ORIGIN.fullmatch(text)
    host = parse_host(found[2]) if found else None
    if found is None or host is None:
        return None
    scheme = found[1].lower()
    return Origin(scheme, host.name, host.port or _DEFAULT_PORTS[scheme])


def parse_address(text: str) -> tuple[Origin, str] | None:
    """Read an address that the app is reached at: its origin, and the path below which the app lies.

    A name may be written with letters of any script. The path is "" for none, else begins with a slash
    and does not end with one. None for anything that is no such address, such as one with a wildcard.
    """
    try:
        parts = urlsplit(text)
        written = parts.netloc if parts.netloc.isascii() else _ascii(parts.netloc)
    except ValueError:  # idna's errors are such, too
        return None
    origin = parse_origin(f"{parts.scheme}://{written}")
    plain = not (parts.query or parts.fragment or "?" in text or "#" in text)
    if origin is None or not plain or not _PATH.fullmatch(parts.path):
        return None
    return origin, parts.path.rstrip("/")


def _ascii(netloc: str) -> str:
    name, colon, port = netloc.partition(":")
    return idna.encode(name, uts46=True).decode() + colon + port


def _plain_name(name: str) -> str | None:
    if not name.startswith("["):
        return name.lower().removesuffix(".") or None
    try:
        return IPv6Address(name[1:-1]).compressed
    except ValueError:
        return None
