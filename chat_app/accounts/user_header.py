"""Identify people by the header of a proxy that signs them in."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agent_core import CallContext
from chat_app.accounts.people import MAX_NAME
from chat_app.extensions import Identify


def by_user_header(header: str, admins: Collection[str]) -> Identify:
    """Return the function that reads the person's name, which is their id, from a header.

    Args:
        header: the header, in lower case.
        admins: names of administrators.
    """

    def identify(headers: Mapping[str, str]) -> CallContext | None:
        name = _as_utf_8(headers.get(header, "")).strip()
        if not name or len(name) > MAX_NAME or not name.isprintable():
            return None
        return CallContext(name, {"role": "admin" if name in admins else "member", "name": name})

    return identify


def _as_utf_8(value: str) -> str:
    """Return a value that Starlette has read as Latin-1, as Reflex reads it: as UTF-8 if it is UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
