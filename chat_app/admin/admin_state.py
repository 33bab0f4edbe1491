"""Base of the states of the admin page's sections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import reflex as rx

from agent_core.errors import AccessDeniedError, AgentCoreError, words_of
from chat_app.accounts.accounts import accounts
from chat_app.extensions import IDENTITY, check_may_administer
from chat_app.scripts import react_component
from chat_app.session.service import CommandState
from chat_app.ui.controls import error_note

refresh = react_component("admin/views/refresh.jsx", "Refresh", reads=int, on_due=())
"""Calls `on_due` some seconds after the last read, again and again, while the page is visible; renders nothing."""


def error(state: Any) -> rx.Component:
    """Render the error of a section's last event."""
    return error_note(state.notice, state.notice_info, class_name="callout")


async def names_of(user_ids: Iterable[str | None]) -> dict[str | None, str]:
    """Return how to show people by their ids: by name if the app has accounts, else by the id; "" for nobody."""
    known, wanted = accounts(), {user_id for user_id in user_ids if user_id}
    found = await known.names_of(wanted) if known is not None and wanted else {}
    return {None: "", "": "", **{user_id: found.get(user_id, user_id) for user_id in wanted}}


class AdminState(CommandState, mixin=True):
    """Base of the states of the sections, which read and change what belongs to everybody.

    Every event checks that the user may: a socket may send any event, whatever the page shows.

    Attributes:
        loaded: whether the section was read.
        reads: number of reads.
    """

    loaded: bool = False
    reads: int = 0

    @rx.event
    async def open(self):
        """Read the section as the page opens."""
        self.notice = ""
        self._forget()
        if self._is_admin():
            await self._show()

    @rx.event
    async def refresh(self):
        """Read the section again."""
        if self._is_admin():
            await self._show()

    def _forget(self) -> None:
        """Forget what the visit before has left on the page; a section overrides it."""

    async def _read(self) -> dict[str, Any]:
        """Return the section's vars by name; a section overrides it."""
        raise NotImplementedError

    def _is_admin(self) -> bool:
        """Return whether the user may administer the app; if not, forget what was read and say so."""
        try:
            check_may_administer(self._ctx())
        except AccessDeniedError as error:
            self.reset()
            self.notice = words_of(error)
            return False
        return True

    async def _show(self) -> None:
        """Read the section, and set the vars that have changed; on an error, set `notice` and keep them."""
        try:
            found = await self._read()
        except AgentCoreError as error:
            self.notice = words_of(error)
        else:
            for name, value in found.items():
                if getattr(self, name) != value:
                    setattr(self, name, value)
            self.loaded = True
        self.reads += 1

    async def _change(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the API as an administrator, then read the section; return the method's result."""
        if not self._is_admin():
            return None
        result = await self._call(method, *args, **options)
        await self._show()
        return result

    def _link(self, thread_id: str, user_id: str | None) -> str:
        """Return the address of a thread if the user may open it, else ""."""
        ctx = self._ctx()
        is_own = not IDENTITY or (ctx is not None and user_id == ctx.user_id)
        return f"/chat/{thread_id}" if is_own else ""
