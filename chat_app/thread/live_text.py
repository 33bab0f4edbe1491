"""Live text of a thread: sent to a tab in slices, with missed slices sent again on request."""

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
    """Base of the states of a live text; they hold only its newest slice, which changes ten times a second.

    A component that reads any var of a state class renders again when any var of that class changes, so
    only the text part that is being streamed reads these vars.

    Attributes:
        shown: the state that shows the thread of the text.
        run: the part and the attempt to which the slice belongs.
        offset: the position of `chunk` in the text, in UTF-16 code units.
    """

    shown: ClassVar[type[ShownThread]]

    run: str = ""
    offset: int = 0
    chunk: str = ""

    def _clear(self) -> None:
        self.run, self.offset, self.chunk = "", 0, ""

    @classmethod
    async def _emit(cls, text_slice: TextSlice | None) -> None:
        """Send this tab a further slice of the current run, bypassing the state.

        The state need not have the slice: the page merges slices by offset and asks for those that it
        misses. Locking the tab's state and finding its changed vars costs twice as much as sending
        (benchmarks/tabs.py).
        """
        if text_slice and text_slice.chunk:
            new = {"offset": text_slice.offset, "chunk": text_slice.chunk}
            delta = {f"{name}{FIELD_MARKER}": value for name, value in new.items()}
            await EventContext.get().emit_delta({cls.get_full_name(): delta})

    def _show(self, text_slice: TextSlice | None) -> None:
        if not text_slice or (not text_slice.chunk and text_slice.run == self.run):
            return
        if text_slice.run != self.run:
            self.run = text_slice.run
        self.offset, self.chunk = text_slice.offset, text_slice.chunk

    @rx.event
    async def resend(self, run: str, offset: int):
        """Send the text after the first `offset` UTF-16 units of `run` to a page that missed a slice."""
        shown = await self.get_state(self.shown)
        if reader := shown._followed():
            self._show(reader.follower.slice_from(run, offset))

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Show the open thread of this tab and its updates until the tab leaves.

        As part of the page's `on_load`, it ends automatically on navigation, reload and disconnection.
        """
        async with self:
            rows, session = await self.get_state(self.shown), tab_session(self)
        subscription = Subscription(rows, self)
        with session.attached(self.shown, subscription):
            await subscription.run()
