"""Origins and hosts as browsers send them: https://example.org, [::1]:3000 (RFC 6454, RFC 9112 section 3.2).

Two spellings of the same origin compare equal: names are in lower case without a trailing dot, IPv6 addresses
in their short form, default ports explicit. Text that is not exactly an origin or a host is rejected.
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
    """Name or IP address of a host, and its port; None if no port is given."""

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
    """Scheme, host name and port, by which a browser isolates websites from each other."""

    scheme: str
    name: str
    port: int

    def __str__(self) -> str:
        """Return the origin as a browser sends it, without a default port."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{name}{port}"

    def is_at(self, host: Host) -> bool:
        """Return whether `host` is the Host header of a request to this origin."""
        return self.name == host.name and self.port == (host.port or _DEFAULT_PORTS[self.scheme])


def parse_host(text: str) -> Host | None:
    """Parse a Host header; return None for anything else, such as user@host or two names."""
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    name, port = _plain_name(found[1]), int(found[2]) if found[2] else None
    return Host(name, port) if name and (port is None or 0 < port < 65536) else None


def parse_origin(text: str) -> Origin | None:
    """Parse an Origin header; return None for anything else, such as null, a path, or another scheme."""
    found = _ORIGIN.fullmatch(text)
    host = parse_host(found[2]) if found else None
    if found is None or host is None:
        return None
    scheme = found[1].lower()
    return Origin(scheme, host.name, host.port or _DEFAULT_PORTS[scheme])


def parse_address(text: str) -> tuple[Origin, str] | None:
    """Parse an address of the app into its origin and the path below which the app is served.

    A name may contain letters of any script. The path is "" for none; else it begins with a slash and does
    not end with one. Return None for anything that is not such an address, such as one with a wildcard.
    """
    try:
        parts = urlsplit(text)
        written = parts.netloc if parts.netloc.isascii() else _ascii(parts.netloc)
    except ValueError:  # idna raises subclasses of it
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
