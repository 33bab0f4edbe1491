"""Register the sign-in that the settings choose, as an extension registers its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext

from agent_core import CallContext
from agent_core.errors import ValidationError
from chat_app.accounts.accounts import accounts, open_accounts
from chat_app.accounts.cookie import session_in
from chat_app.accounts.roles import check_is_admin
from chat_app.accounts.user_header import by_user_header
from chat_app.extensions import ADMINISTRATORS, IDENTITY, register_administrators, register_identity
from chat_app.server.settings import load_settings
from chat_app.server.sign_in import SignIn


def register_sign_in(sign_in: SignIn) -> None:
    """Register who signs in and who administers, after the extensions; nothing without sign-in.

    Raises:
        ValidationError: an extension identifies people, too.
    """
    if not sign_in.is_on:
        return
    if IDENTITY:
        raise ValidationError(
            "The settings choose a sign-in (CHAT_SIGN_IN or CHAT_USER_HEADER), and an extension calls "
            "register_identity; remove one of the two."
        )
    if sign_in.user_header is not None:
        register_identity(by_user_header(sign_in.user_header, sign_in.admins))
    else:
        register_identity(by_session)
    if not ADMINISTRATORS:
        register_administrators(check_is_admin)


def by_session(headers: Mapping[str, str]) -> CallContext | None:
    """Return the person of the session whose id the gate has put into the request."""
    session_id, known = session_in(headers.get("cookie", "")), accounts()
    found = known.sessions.get(session_id) if session_id and known else None
    if known is None or session_id is None or found is None:
        return None
    known.sessions.note(session_id, headers.get("user-agent", ""))
    return CallContext(found.person_id, {"role": found.role, "name": found.name})


def acting_admin(ctx: CallContext | None) -> str | None:
    """Return the id of the administrator who calls, whose row says so; None if an extension says who administers."""
    return ctx.user_id if ctx is not None and [check_is_admin] == ADMINISTRATORS else None


@asynccontextmanager
async def accounts_lifespan() -> AsyncIterator[None]:
    """Open the accounts for as long as the app runs, if the app itself signs people in."""
    settings = load_settings()
    async with open_accounts(settings.database_url) if settings.sign_in.has_sessions else nullcontext():
        yield
