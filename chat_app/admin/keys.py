"""Section of everybody's API keys: whose they are, what they may do, and when they were used; an administrator revokes."""

from __future__ import annotations

from typing import Any

import reflex as rx

from agent_core.errors import AgentCoreError, ValidationError, words_of
from chat_app.admin.admin_state import AdminState, error, refresh
from chat_app.admin.sections import register_section
from chat_app.keys.rows import OwnedKey
from chat_app.scripts import react_component
from chat_app.session.service import service

_PAGE = 50
_MAX_KEYS = 1_000

_keys = react_component(
    "admin/views/keys.jsx",
    "AllKeys",
    keys=list[dict[str, Any]],
    more=bool,
    on_revoke=(str,),
    on_more=(),
)
"""Table of the keys with their buttons."""


class AllKeys(AdminState, rx.State):
    """State of the section.

    Attributes:
        keys: the keys of all people that were not revoked, the newest first.
        has_more: whether there are more.
    """

    keys: list[dict[str, Any]] = []
    has_more: bool = False
    _count: int = _PAGE

    async def _read(self) -> dict[str, Any]:
        found = await service().keys.list_all(self._count + 1)
        return {
            "keys": [_row(each) for each in found[: self._count]],
            "has_more": len(found) > self._count,
        }

    @rx.event
    async def more(self):
        """Show more keys."""
        self._count = min(self._count + _PAGE, _MAX_KEYS)
        await self.refresh()

    @rx.event
    async def revoke(self, key_id: str):
        """Revoke a key of anybody, at once."""
        if not self._is_admin():
            return
        self.notice = ""
        try:
            await service().keys.revoke_any(key_id)
        except ValidationError:
            pass  # it was revoked before, and the table shows it
        except AgentCoreError as error:
            self.notice = words_of(error)
        await self._show()


def _row(found: OwnedKey) -> dict[str, Any]:
    key = found.row
    return {
        "id": key.id,
        "name": key.name,
        "start": key.start,
        "scope": key.scope,
        "owner": found.owner,
        "state": found.state,
        "created": key.created_at,
        "used": key.used_at,
        "expires": key.expires_at,
    }


@register_section("keys", "keys.title", on_load=AllKeys.open, place=7)
def keys() -> list[rx.Component]:
    """Render the section `/admin/keys`."""
    return [
        error(AllKeys),
        refresh(reads=AllKeys.reads, on_due=AllKeys.refresh),
        rx.cond(
            AllKeys.loaded,
            _keys(
                keys=AllKeys.keys,
                more=AllKeys.has_more,
                on_revoke=AllKeys.revoke,
                on_more=AllKeys.more,
            ),
        ),
    ]
