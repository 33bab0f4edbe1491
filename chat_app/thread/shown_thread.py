"""What a tab shows of a thread."""

from __future__ import annotations

from typing import Any

import reflex as rx

from agent_core.errors import AgentCoreError
from chat_app.session.tab_session import tab_session
from chat_app.thread.follower import Follower
from chat_app.thread.subscription import Reader, Subscription


class ShownThread(rx.State, mixin=True):
    """Base of the states that show a thread: a subscription fills them with its rows."""

    def _opened(self) -> str:
        """Return the name of what is open, a thread's id or the token of a link; "" if nothing is."""
        raise NotImplementedError

    def _reader(self) -> Reader:
        """Return what reads the open thread.

        Raises:
            AgentCoreError: it may not be read.
        """
        raise NotImplementedError

    def _show(self, follower: Follower) -> None:
        """Show what a follower has read."""
        raise NotImplementedError

    def _is_behind(self, follower: Follower) -> bool:
        """Return whether the rows are to be sent again, although only the live text has grown."""
        return False

    def _lose(self, error: AgentCoreError) -> None:
        """Show that the thread cannot be read: it never existed, was deleted, or belongs to another user."""
        raise NotImplementedError

    def _subscription(self) -> Subscription | None:
        """Return this tab's subscription; None while there is none."""
        return tab_session(self).find(type(self), Subscription)

    def _followed(self) -> Reader | None:
        """Return what reads the open thread for the subscription; None while nothing does."""
        subscription = self._subscription()
        return subscription.reader_of(self._opened()) if subscription else None

    def _set(self, **values: Any) -> None:
        """Set vars; one that is unchanged is not sent again."""
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)
