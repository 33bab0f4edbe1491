"""Report on the people of the app: who they are, their role, and when they were last seen, whoever signs them in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_core import CallContext
from chat_app.accounts.accounts import Accounts, accounts
from chat_app.accounts.oidc import provider_name
from chat_app.accounts.people import can_sign_in
from chat_app.database.tables import PersonRow, SessionRow
from chat_app.extensions import IDENTITY
from chat_app.server.sign_in import SignIn
from chat_app.session.service import service

_SYSTEMS = {
    "Windows": "Windows",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "HeadlessChrome": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
"""Names by what a User-Agent contains; the first that matches counts, since browsers pretend to be others."""


async def people_report(ctx: CallContext | None, count: int) -> dict[str, Any]:
    """Return what the section shows: how people sign in, and the first `count` of them, as plain JSON."""
    known, sign_in = accounts(), service().settings.sign_in
    if known is not None and sign_in.has_sessions:
        return await _of_accounts(known, sign_in, ctx, count)
    if not IDENTITY:
        return {"kind": "open", "people": [], "more": False}
    kind = "extension" if sign_in.user_header is None else "header"
    found = await service().seen.newest(count + 1)
    people = [
        {
            "id": row.user_id,
            "name": row.user_id,
            "role": ("admin" if row.user_id in sign_in.admins else "member") if kind == "header" else "",
            "seen": row.seen_at,
            "created": row.first_at,
            "mine": ctx is not None and row.user_id == ctx.user_id,
        }
        for row in found[:count]
    ]
    return {
        "kind": kind,
        "header": sign_in.user_header or "",
        "people": people,
        "more": len(found) > count,
    }


async def _of_accounts(
    known: Accounts, sign_in: SignIn, ctx: CallContext | None, count: int
) -> dict[str, Any]:
    everybody = sorted(await known.people(), key=lambda person: (person.name.casefold(), person.id))
    shown = everybody[:count]
    sessions, seen = (
        await known.session_counts(),
        await service().seen.moments([person.id for person in shown]),
    )
    held = await known.held_schedules([person.id for person in shown])
    admins = [person.id for person in everybody if person.role == "admin" and can_sign_in(person)]
    claim = sign_in.oidc.admin_claim if sign_in.oidc else None
    people = [
        {
            "id": person.id,
            "name": person.name,
            "role": person.role,
            "seen": seen.get(person.id),
            "created": person.created_at,
            "mine": ctx is not None and person.id == ctx.user_id,
            "sessions": sessions.get(person.id, 0),
            "state": _state(person),
            "held": held.get(person.id, 0),
            "is_last": admins == [person.id],
            "from_provider": person.subject is not None,
            "has_fixed_role": claim is not None and person.subject is not None,
        }
        for person in shown
    ]
    return {
        "kind": "accounts",
        "invites": sign_in.local,
        "provider": provider_name(sign_in.oidc) if sign_in.oidc else "",
        "claim": ":".join(claim) if claim else "",
        "people": people,
        "more": len(everybody) > count,
    }


def _state(person: PersonRow) -> str:
    if person.disabled_at is not None:
        return "disabled"
    return "active" if can_sign_in(person) else "invited"


def session_views(sessions: Sequence[SessionRow], own: str | None) -> list[dict[str, Any]]:
    """Return the sessions of a person as plain JSON; `own` is the one that asks."""
    return [
        {
            "id": row.id,
            "browser": browser_name(row.browser or ""),
            "created": row.created_at,
            "seen": row.seen_at,
            "mine": row.id == own,
        }
        for row in sessions
    ]


def browser_name(user_agent: str) -> str:
    """Return the names of the browser and its system, such as "Firefox, Linux"; "" if it has sent none.

    A program that names neither is shown by the first part of what it sends.
    """
    found = (
        next((name for part, name in names.items() if part in user_agent), "")
        for names in (_BROWSERS, _SYSTEMS)
    )
    plain = "".join(filter(str.isprintable, user_agent)).partition(" ")[0]
    return ", ".join(filter(None, found)) or plain[:60]
