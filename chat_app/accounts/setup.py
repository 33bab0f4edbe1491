"""Register the sign-in that the settings choose, as an extension registers its own."""

from __future__ import annotations

from agent_core.errors import ValidationError
from chat_app.accounts.roles import check_is_admin
from chat_app.accounts.user_header import by_user_header
from chat_app.extensions import ADMINISTRATORS, IDENTITY, register_administrators, register_identity
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
            "CHAT_USER_HEADER is set, and an extension calls register_identity; remove one of the two."
        )
    if sign_in.user_header is not None:
        register_identity(by_user_header(sign_in.user_header, sign_in.admins))
    if not ADMINISTRATORS:
        register_administrators(check_is_admin)
