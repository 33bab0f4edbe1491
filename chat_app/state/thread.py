"""The thread that is open on the app's own pages."""

from __future__ import annotations

from typing import Any

import reflex as rx

from chat_app.state.choosing import Choosing
from chat_app.state.follower import Follower
from chat_app.state.view import MessageView, ReturnedView


class OpenThread(Choosing, rx.State):
    """What the app's own pages show of a thread, and what their buttons do.

    Attributes:
        history, turn: the messages before the turn under way, and that turn.
        share: the token of the link with which it can be read; "" while there is none.
        returned: the message that was taken back last.
    """

    history: list[MessageView] = []
    turn: list[MessageView] = []
    share: str = ""
    returned: ReturnedView = ReturnedView()

    def _rows(
        self, history: list[MessageView], turn: list[MessageView], follower: Follower
    ) -> dict[str, Any]:
        metadata: dict[str, Any] = follower.thread.get("metadata") or {}
        return {"history": history, "turn": turn, "share": str(metadata.get("share") or "")}
