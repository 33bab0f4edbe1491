"""Section of the webhooks: what waits for its delivery, and the dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import reflex as rx

from agent_core import DeadLetter, Webhook
from chat_app.admin.admin_state import AdminState, error, names_of, refresh
from chat_app.admin.sections import register_section
from chat_app.scripts import react_component
from chat_app.session.service import service

_PAGE = 50
_MAX_LETTERS = 1_000

_webhooks = react_component(
    "admin/views/webhooks.jsx",
    "Webhooks",
    status=dict[str, Any],
    letters=list[dict[str, Any]],
    on_redeliver=(str,),
    on_redeliver_all=(),
    on_discard=(str,),
    on_more=(),
)
"""State of the outbox, and the table of dead letters with their buttons."""


class Webhooks(AdminState, rx.State):
    """State of the section.

    Attributes:
        status: types of the written events, the receiver's host, numbers of waiting events and of dead letters.
        letters: the newest dead letters.
    """

    status: dict[str, Any] = {}
    letters: list[dict[str, Any]] = []
    _count: int = _PAGE

    async def _read(self) -> dict[str, Any]:
        outbox = self._api().outbox
        status, letters = await outbox.status(), await outbox.dead_letters(self._count)
        webhook = service().settings.webhook
        shown = {
            "events": list(status.events),
            "host": webhook.host if isinstance(webhook, Webhook) else "",
            "pending": status.pending,
            "oldest_at": status.oldest_at.timestamp() if status.oldest_at else None,
            "dead": status.dead,
        }
        names = await names_of(letter.user_id for letter in letters)
        return {"status": shown, "letters": [self._row(letter, names) for letter in letters]}

    def _row(self, letter: DeadLetter, names: Mapping[str | None, str]) -> dict[str, Any]:
        return {
            "id": letter.id,
            "type": letter.type,
            "at": letter.created_at.timestamp(),
            "thread": letter.thread_id,
            "link": self._link(letter.thread_id, letter.user_id),
            "user": names[letter.user_id],
            "agent": letter.agent,
            "data": letter.data,
            "attempts": letter.attempts,
            "dead_at": letter.dead_at.timestamp(),
            "error": letter.error,
            "info": letter.error_info,
        }

    @rx.event
    async def more(self):
        """Show more dead letters."""
        self._count = min(self._count + _PAGE, _MAX_LETTERS)
        await self.refresh()

    @rx.event
    async def redeliver(self, event_id: str):
        """Deliver a dead letter again."""
        await self._decide("redeliver", event_id)

    @rx.event
    async def redeliver_all(self):
        """Deliver the oldest thousand dead letters again."""
        await self._change("outbox.redeliver_all")

    @rx.event
    async def discard(self, event_id: str):
        """Delete a dead letter."""
        await self._decide("discard", event_id)

    async def _decide(self, method: str, event_id: str) -> None:
        await self._change(f"outbox.{method}", event_id)
        if self.notice_info.get("code") == "dead_letter_not_found":
            self.notice = ""  # another click was first, and the list shows it


@register_section("webhooks", "admin.webhooks", on_load=Webhooks.open, place=20)
def webhooks() -> list[rx.Component]:
    """Render the section `/admin/webhooks`."""
    return [
        error(Webhooks),
        refresh(reads=Webhooks.reads, on_due=Webhooks.refresh),
        rx.cond(
            Webhooks.loaded,
            _webhooks(
                status=Webhooks.status,
                letters=Webhooks.letters,
                on_redeliver=Webhooks.redeliver,
                on_redeliver_all=Webhooks.redeliver_all,
                on_discard=Webhooks.discard,
                on_more=Webhooks.more,
            ),
        ),
    ]
