"""The text that is being written, as a tab is sent it: piece by piece, and again what it missed."""

from __future__ import annotations

from typing import ClassVar

import reflex as rx
from reflex_base.constants.state import FIELD_MARKER
from reflex_base.event.context import EventContext

from chat_app.session.tab_session import tab_session
from chat_app.thread.follower import TextSlice
from chat_app.thread.shown_thread import ShownThread
from chat_app.thread.subscription import Subscription


class LiveText(rx.State, mixin=True):
    """Base of the states of a text that grows: its newest piece and nothing else, as it changes ten times a second.

    A component that reads any var of a state class renders again when any of them changes; so only
    the text part that is being written reads these.

    Attributes:
        shown: the state that shows the thread in which the text is written.
        run: the part, and the attempt, that the piece belongs to.
        offset: the position of `chunk` in the text, in UTF-16 code units.
    """

    shown: ClassVar[type[ShownThread]]

    run: str = ""
    offset: int = 0
    chunk: str = ""

    def _forget(self) -> None:
        self.run, self.offset, self.chunk = "", 0, ""

    @classmethod
    async def _pass_on(cls, piece: TextSlice | None) -> None:
        """Send this tab a further piece of the run that its state names, without going through the state.

        What the state holds of the text is only ever the newest piece, which nobody reads again: the page
        merges pieces by their offsets, and asks for what it misses. Taking the tab's lock and looking for
        what has changed in its state costs twice what sending does (benchmarks/tabs.py).
        """
        if piece and piece.chunk:
            new = {"offset": piece.offset, "chunk": piece.chunk}
            delta = {f"{name}{FIELD_MARKER}": value for name, value in new.items()}
            await EventContext.get().emit_delta({cls.get_full_name(): delta})

    def _send(self, piece: TextSlice | None) -> None:
        if not piece or (not piece.chunk and piece.run == self.run):
            return
        if piece.run != self.run:
            self.run = piece.run
        self.offset, self.chunk = piece.offset, piece.chunk

    @rx.event
    async def resend(self, run: str, have: int):
        """Send again what follows the first `have` units of `run`; the page missed something."""
        shown = await self.get_state(self.shown)
        if reader := shown._followed():
            self._send(reader.follower.piece_from(run, have))

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Show what is open in this tab and go on showing it, until the tab leaves.

        Being part of the page's on_load, it ends by itself with navigation, reload and disconnection.
        """
        async with self:
            rows, session = await self.get_state(self.shown), tab_session(self)
        subscription = Subscription(rows, self)
        with session.attached(self.shown, subscription):
            await subscription.run()
