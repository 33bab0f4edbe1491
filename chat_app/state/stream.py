"""The text that is being written, and this tab's subscription to it."""

import logging
from contextlib import aclosing

import reflex as rx

from agent_core.errors import AgentCoreError
from chat_app.state.follower import Follower, Piece, follower_of, following
from chat_app.state.opened import OpenThread
from chat_app.state.service import service

logger = logging.getLogger(__name__)


class Stream(rx.State):
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

    @rx.event
    async def open(self):
        """Turn to the thread of the URL, and follow it."""
        opened = await self.get_state(OpenThread)
        opened.open(str(self.thread_id or ""))  # pyright: ignore[reportAttributeAccessIssue]  -- the route's argument
        self.run, self.offset, self.chunk = "", 0, ""
        return Stream.follow if opened.open_id else None

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Show the open thread and go on showing it, until this tab leaves.

        Reload, a second tab, another browser and a restarted server all come through here: first a
        snapshot, then everything after it. Being part of the page's on_load, it ends by itself with
        navigation, reload and disconnection.
        """
        async with self:
            opened = await self.get_state(OpenThread)
            thread_id, token = opened.open_id, self.router.session.client_token
        follower = Follower(service().is_async)
        try:
            with following(token, follower):
                await self._follow(thread_id, follower)
        except AgentCoreError as error:
            await self._lose(error)
        except Exception:
            logger.exception("Thread %s can not be followed", thread_id)
            await self._lose(AgentCoreError("The server could not read this thread; its log says why."))

    async def _lose(self, error: AgentCoreError) -> None:
        async with self:
            opened = await self.get_state(OpenThread)
            opened.lose(error)

    async def _follow(self, thread_id: str, follower: Follower) -> None:
        async with aclosing(service().api.subscribe(thread_id)) as updates:
            async for update in updates:
                follower.apply(update)
                if follower.times_wanted:
                    follower.know(await service().api.timeline(thread_id))
                async with self:
                    opened = await self.get_state(OpenThread)
                    if opened.open_id != thread_id:
                        return
                    if follower.rows_changed:
                        opened.show(follower)
                    self._send(follower.piece())

    def _send(self, piece: Piece | None) -> None:
        if not piece or (not piece.chunk and piece.run == self.run):
            return
        if piece.run != self.run:
            self.run = piece.run
        self.offset, self.chunk = piece.offset, piece.chunk

    @rx.event
    def resend(self, run: str, have: int):
        """Send again what follows the first `have` units of `run`; the page missed something."""
        if follower := follower_of(self.router.session.client_token):
            self._send(follower.piece_from(run, have))
