"""Settings of the sign-in: who tells the app which person sends a request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agent_core.errors import ValidationError
from chat_app.server.origins import Host, parse_address
from chat_app.server.setting_values import parse_choice, parse_switch

KINDS = ("none", "local")
_OIDC = ("CHAT_OIDC_ISSUER", "CHAT_OIDC_CLIENT_ID", "CHAT_OIDC_CLIENT_SECRET", "CHAT_OIDC_ALLOW")
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
class Oidc:
    """OpenID provider that signs people in.

    Attributes:
        issuer: the provider's address, at which its configuration is.
        client_id: the name of this app there.
        client_secret: its password there.
        allowed: e-mail addresses, domains that begin with "@", or "*", of the people who are let in.
        admin_claim: name and value of the claim of those who administer the app; None: no claim says so.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    allowed: frozenset[str]
    admin_claim: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """Checked settings of the sign-in.

    Attributes:
        user_header: header, in lower case, in which a proxy names the person; None: no proxy signs in.
        admins: names of the people who administer the app.
        is_open: whether other machines may use the app without sign-in.
        local: whether people have accounts of the app, with passwords.
        oidc: the OpenID provider that signs people in; None: there is none.
    """

    user_header: str | None = None
    admins: frozenset[str] = frozenset()
    is_open: bool = False
    local: bool = False
    oidc: Oidc | None = None

    @property
    def is_on(self) -> bool:
        """Return whether these settings make people sign in."""
        return self.user_header is not None or self.has_sessions

    @property
    def has_sessions(self) -> bool:
        """Return whether the app itself signs people in, so that it has pages and sessions for it."""
        return self.local or self.oidc is not None


def read_sign_in(values: Mapping[str, str]) -> SignIn:
    """Read the settings from the variables that have a value.

    Raises:
        ValidationError: a value is invalid, or two of them contradict each other.
    """
    header, oidc = _header(values.get("CHAT_USER_HEADER")), _oidc(values)
    admins = frozenset(_names(values.get("CHAT_ADMINS", "")))
    local = parse_choice("CHAT_SIGN_IN", values.get("CHAT_SIGN_IN", "none"), KINDS) == "local"
    if header is not None and (local or oidc):
        other = "CHAT_SIGN_IN=local" if local else "CHAT_OIDC_ISSUER"
        raise ValidationError(
            f"CHAT_USER_HEADER and {other} are both set; either a proxy signs people in, or the app does. Remove "
            "one of the two."
        )
    if admins and header is None and oidc is None:
        raise ValidationError(
            "CHAT_ADMINS is set without CHAT_USER_HEADER or CHAT_OIDC_ISSUER, which says who signs in; set both."
        )
    is_open = parse_switch("CHAT_OPEN", values.get("CHAT_OPEN", "0"))
    return SignIn(header, admins, is_open, local, oidc)


def _oidc(values: Mapping[str, str]) -> Oidc | None:
    given = {name: values[name] for name in _OIDC if name in values}
    if not given and "CHAT_OIDC_ADMIN_CLAIM" in values:
        raise ValidationError("CHAT_OIDC_ADMIN_CLAIM is set without CHAT_OIDC_ISSUER; set both.")
    if not given:
        return None
    missing = [name for name in _OIDC if name not in given]
    if missing:
        raise ValidationError(f"{next(iter(given))} is set without {' and '.join(missing)}; set all of them.")
    issuer, client_id, secret, allow = given.values()
    address = parse_address(issuer)
    if address is None or (address[0].scheme == "http" and not is_loopback(address[0].name)):
        raise ValidationError(
            "CHAT_OIDC_ISSUER must be the address of an OpenID provider, such as https://accounts.example.org."
        )
    allowed = frozenset(
        name if "@" in name or name == "*" else f"@{name}" for name in map(str.casefold, _names(allow))
    )
    return Oidc(issuer.rstrip("/"), client_id, secret, allowed, _admin_claim(values))


def _admin_claim(values: Mapping[str, str]) -> tuple[str, str] | None:
    given = values.get("CHAT_OIDC_ADMIN_CLAIM")
    if given is None:
        return None
    name, colon, value = given.rpartition(":")  # the last one: a name may be an address
    if not colon or name != name.strip() or value != value.strip() or not name or not value:
        raise ValidationError(
            f"CHAT_OIDC_ADMIN_CLAIM is {given!r:.80}; it must be the name of a claim and the value that administrators "
            "have there, such as groups:admins."
        )
    return name, value


def _names(value: str) -> Iterator[str]:
    yield from filter(None, map(str.strip, value.split(",")))


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
