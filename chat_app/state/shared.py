"""A thread as somebody sees it who has its link: to be read only, and as it goes on."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import replace
from urllib.parse import quote

import reflex as rx

from agent_core.errors import AgentCoreError
from chat_app.state.follower import Follower
from chat_app.state.growing import Growing
from chat_app.state.listing import thread_title
from chat_app.state.service import service
from chat_app.state.standing import is_writing
from chat_app.state.tab_session import tab_session
from chat_app.state.view import FileView, MessageView, PartView

logger = logging.getLogger(__name__)

OPEN = ("preparing", "running", "retrying", "approval", "answer")


class Shared(rx.State):
    """The thread of the link in this tab; there is no event with which its reader could change it.

    Attributes:
        phase: loading, ready, missing or over (the link was taken back while it was open).
        messages: those before the turn under way, in the branch that is shown; nothing in them can be answered.
        turn: that turn.
        thinking: at work, with nothing to show for it yet.
    """

    phase: str = "loading"
    title: str = ""
    messages: list[MessageView] = []
    turn: list[MessageView] = []
    thinking: bool = False
    _token: str = ""

    def begin(self, token: str) -> None:
        """Turn to the thread with this token."""
        self.reset()
        self._token = token

    def show(self, follower: Follower) -> None:
        """Take over what a follower has read; what is unchanged is not sent again."""
        name, turn = str(follower.thread.get("id") or ""), follower.turn()
        found = {
            "phase": "ready",
            "title": thread_title(follower.thread.get("title")),
            "messages": [shared_view(row, name, self._token) for row in follower.history()],
            "turn": [shared_view(row, name, self._token) for row in turn],
            "thinking": follower.thread.get("status") == "streaming" and not is_writing(turn),
        }
        for var, value in found.items():
            if getattr(self, var) != value:
                setattr(self, var, value)

    def lose(self) -> None:
        """Show nothing any more: the token leads nowhere."""
        phase = "over" if self.phase in ("ready", "over") else "missing"
        self.begin(self._token)
        self.phase = phase


class SharedText(Growing, rx.State):
    """The text that is being written in that thread, and this tab's subscription to it."""

    @classmethod
    def _shown(cls) -> type[rx.State]:
        return Shared

    @rx.event
    async def open(self):
        """Follow the thread whose token stands in the address."""
        shared = await self.get_state(Shared)
        shared.begin(str(self.token or ""))  # pyright: ignore[reportAttributeAccessIssue]  -- the route's argument
        self._forget()
        return SharedText.follow

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Show the thread and what becomes of it, until this tab leaves or the link is taken back."""
        async with self:
            shared = await self.get_state(Shared)
            token, session = shared._token, tab_session(self)
        follower = Follower(whole=True)
        try:
            with session.attached(Shared, follower):
                async with aclosing(service().api.subscribe_shared(token)) as updates:
                    async for update in updates:
                        follower.apply(update)
                        if not follower.rows_changed:
                            await self._pass_on(follower.piece())
                            continue
                        async with self:
                            shared = await self.get_state(Shared)
                            if shared._token != token:
                                return
                            shared.show(follower)
                            self._send(follower.piece())
        except AgentCoreError:
            await self._lose()
        except Exception:
            logger.exception("A shared thread can not be followed")
            await self._lose()

    async def _lose(self) -> None:
        async with self:
            shared = await self.get_state(Shared)
            shared.lose()
            self._forget()


def shared_view(row: MessageView, thread_id: str, token: str) -> MessageView:
    """Return a message's row with nothing that a reader could press, and files by the token."""
    prefix = f"/files/{quote(thread_id, safe='')}/"
    files = [_file(file, prefix, token) for file in row.files]
    return replace(
        row,
        files=files,
        parts=[_part(part) for part in row.parts],
        vote="",
        place=0,
        count=0,
        previous="",
        next="",
    )


def _part(part: PartView) -> PartView:
    if part.kind != "tool":
        return part
    open_ = part.tool.state in OPEN
    tool = replace(part.tool, state="open" if open_ else part.tool.state, opened=False)
    return replace(part, tool=tool)


def _file(file: FileView, prefix: str, token: str) -> FileView:
    if not file.path.startswith(prefix):
        return file
    return replace(file, path=f"/shared/{quote(token, safe='')}/{file.path.removeprefix(prefix)}")
