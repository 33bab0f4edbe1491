"""The text that is being written, as a tab is sent it: piece by piece, and again what it missed."""

from __future__ import annotations

import reflex as rx

from chat_app.state.follower import Piece, follower_of


class Growing(rx.State, mixin=True):
    """The newest piece of the live text: nothing else, because it changes ten times a second.

    A component that reads any var of a state class renders again when any of them changes; so only
    the text part that is being written reads these.

    Attributes:
        run: the part, and the attempt, that the piece belongs to.
        offset: where `chunk` stands in the text, in UTF-16 code units.
    """

    run: str = ""
    offset: int = 0
    chunk: str = ""

    @classmethod
    def _place(cls, token: str) -> str:
        """Name the place of what follows the thread for the tab with `token`."""
        raise NotImplementedError

    def _forget(self) -> None:
        self.run, self.offset, self.chunk = "", 0, ""

    def _send(self, piece: Piece | None) -> None:
        if not piece or (not piece.chunk and piece.run == self.run):
            return
        if piece.run != self.run:
            self.run = piece.run
        self.offset, self.chunk = piece.offset, piece.chunk

    @rx.event
    def resend(self, run: str, have: int):
        """Send again what follows the first `have` units of `run`; the page missed something."""
        if follower := follower_of(self._place(self.router.session.client_token)):
            self._send(follower.piece_from(run, have))
