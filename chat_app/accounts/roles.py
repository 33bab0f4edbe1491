"""Roles: an admin administers the app, a member only uses it."""

from __future__ import annotations

from typing import Literal

from agent_core import CallContext
from agent_core.errors import AccessDeniedError

Role = Literal["admin", "member"]
ROLES: tuple[Role, ...] = ("admin", "member")


def check_is_admin(ctx: CallContext | None) -> None:
    """Check that a caller is an administrator.

    Raises:
        AccessDeniedError: the caller is not.
    """
    if ctx is None or (ctx.claims or {}).get("role") != "admin":
        raise AccessDeniedError("Only administrators of this app may do this.")
