"""Settings of the sign-in: who tells the app which person sends a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent_core.errors import ValidationError
from chat_app.server.origins import Host
from chat_app.server.setting_values import parse_choice, parse_switch

KINDS = ("none", "local")
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2
_OF_CLIENTS = (
    "accept",
    "authorization",
    "connection",
    "content-",
    "cookie",
    "host",
    "origin",
    "referer",
    "sec-",
)
"""Beginnings of headers that a browser or a program sends itself, so that they cannot name the person."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Checked settings of the sign-in.

    Attributes:
        user_header: header, in lower case, in which a proxy names the person; None: no proxy signs in.
        admins: names of the people who administer the app.
        is_open: whether other machines may use the app without sign-in.
        local: whether people have accounts of the app, with passwords.
    """

    user_header: str | None = None
    admins: frozenset[str] = frozenset()
    is_open: bool = False
    local: bool = False

    @property
    def is_on(self) -> bool:
        """Return whether these settings make people sign in."""
        return self.user_header is not None or self.has_sessions

    @property
    def has_sessions(self) -> bool:
        """Return whether the app itself signs people in, so that it has pages and sessions for it."""
        return self.local


def read_sign_in(values: Mapping[str, str]) -> SignIn:
    """Read the settings from the variables that have a value.

    Raises:
        ValidationError: a value is invalid, or two of them contradict each other.
    """
    header = _header(values.get("CHAT_USER_HEADER"))
    names = (name.strip() for name in values.get("CHAT_ADMINS", "").split(","))
    admins = frozenset(name for name in names if name)
    local = parse_choice("CHAT_SIGN_IN", values.get("CHAT_SIGN_IN", "none"), KINDS) == "local"
    if header is not None and local:
        raise ValidationError(
            "CHAT_USER_HEADER and CHAT_SIGN_IN=local are both set; either a proxy signs people in, or the app "
            "does. Remove one of the two."
        )
    if admins and header is None:
        raise ValidationError(
            "CHAT_ADMINS is set without CHAT_USER_HEADER, which says who signs in; set both."
        )
    return SignIn(header, admins, parse_switch("CHAT_OPEN", values.get("CHAT_OPEN", "0")), local)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server that listens on `host`."""
    address = Host(host.lower().removesuffix(".")).address
    return host.lower().removesuffix(".") == "localhost" if address is None else address.is_loopback


def _header(value: str | None) -> str | None:
    if value is None:
        return None
    name = value.lower()
    if not _NAME.fullmatch(name) or name.startswith(_OF_CLIENTS):
        raise ValidationError(
            f"CHAT_USER_HEADER is {value!r:.80}; it must be the name of the header in which your proxy names the "
            "person who is signed in, such as X-Forwarded-User."
        )
    return name
