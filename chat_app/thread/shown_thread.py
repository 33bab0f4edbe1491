"""Base of the states that show a thread in a tab."""

from __future__ import annotations

from typing import Any

import reflex as rx

from agent_core.errors import AgentCoreError
from chat_app.session.tab_session import tab_session
from chat_app.thread.follower import Follower
from chat_app.thread.subscription import Reader, Subscription


class ShownThread(rx.State, mixin=True):
    """Base of the states that show a thread; a `Subscription` fills them with rows."""

    def _opened(self) -> str:
        """Return the id of the open thread or the token of the opened share link; "" if none is open."""
        raise NotImplementedError

    def _reader(self) -> Reader:
        """Return a reader of the open thread.

        Raises:
            AgentCoreError: the user may not read the thread.
        """
        raise NotImplementedError

    def _show(self, follower: Follower) -> None:
        """Show the rows of a follower."""
        raise NotImplementedError

    def _is_behind(self, follower: Follower) -> bool:
        """Return whether the rows must be sent again although only the live text has changed."""
        return False

    def _show_error(self, error: AgentCoreError) -> None:
        """Show that the thread cannot be read: it never existed, was deleted, or belongs to another user."""
        raise NotImplementedError

    def _subscription(self) -> Subscription | None:
        """Return this tab's subscription; None while there is none."""
        return tab_session(self).find(type(self), Subscription)

    def _followed(self) -> Reader | None:
        """Return the subscription's reader of the open thread; None while there is none."""
        subscription = self._subscription()
        return subscription.reader_of(self._opened()) if subscription else None

    def _set(self, **values: Any) -> None:
        """Set vars, skipping unchanged ones, which Reflex would send again."""
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)
