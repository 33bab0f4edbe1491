"""State of a shared thread, which is read-only and follows the thread's changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

import reflex as rx

from agent_core import AgentApi
from agent_core.errors import AgentCoreError
from chat_app.extensions import TOOL_VIEWS
from chat_app.plain_text import thread_title
from chat_app.session.service import service
from chat_app.thread.follower import Follower
from chat_app.thread.live_text import LiveText
from chat_app.thread.shown_thread import ShownThread
from chat_app.thread.turn_status import is_writing
from chat_app.thread.views import FileView, MessageView, PartView

_RUNNING, _WAITING = ("preparing", "running", "retrying"), ("approval", "answer")


class _SharedReader:
    """Reader of a whole shared thread, because its page cannot request further messages.

    Args:
        api: API of the app.
        token: token of the link.
    """

    def __init__(self, api: AgentApi, token: str) -> None:
        self.follower = Follower(api.store.clock.now, whole=True)
        self._api = api
        self._token = token

    def __str__(self) -> str:
        return "a shared thread"  # the token grants access, so it is kept out of the log

    async def read(self) -> AsyncGenerator[None]:
        """Yield after each update that the follower has applied, until the link is revoked."""
        async with aclosing(self._api.shares.subscribe(self._token)) as updates:
            async for update in updates:
                self.follower.apply(update)
                yield

    async def read_times(self) -> None:
        """Read nothing, because the durations of tools are not shared."""


class Shared(ShownThread, rx.State):
    """State of the shared thread in this tab, without any event that could change the thread.

    Attributes:
        phase: loading, ready, missing or revoked (the link was revoked while the page was open).
        messages: messages before the running turn, in the branch that is shown; tool calls in them cannot be
            answered.
        turn: messages of the running turn.
        thinking: whether the agent is working and has nothing to show yet.
    """

    phase: str = "loading"
    title: str = ""
    messages: list[MessageView] = []
    turn: list[MessageView] = []
    thinking: bool = False
    _token: str = ""

    def _open(self, token: str) -> None:
        """Reset the state for the thread of this token."""
        self.reset()
        self._token = token

    def _opened(self) -> str:
        return self._token

    def _reader(self) -> _SharedReader:
        return _SharedReader(service().api, self._token)

    def _show(self, follower: Follower) -> None:
        """Show the thread that a follower has read; unchanged values are not sent again."""
        name, turn = str(follower.thread.get("id") or ""), follower.turn()
        self._set(
            phase="ready",
            title=thread_title(follower.thread.get("title")),
            messages=[_shared_view(row, name, self._token) for row in follower.history()],
            turn=[_shared_view(row, name, self._token) for row in turn],
            thinking=follower.thread.get("status") == "streaming" and not is_writing(turn),
        )

    def _show_error(self, error: AgentCoreError) -> None:
        """Hide the thread, because the token is no longer valid."""
        phase = "revoked" if self.phase in ("ready", "revoked") else "missing"
        self._open(self._token)
        self.phase = phase


class SharedText(LiveText, rx.State):
    """State of the text that is being written in the shared thread."""

    shown: ClassVar[type[ShownThread]] = Shared

    @rx.event
    async def open(self):
        """Follow the thread of the token in the URL."""
        shared = await self.get_state(Shared)
        shared._open(str(self.token or ""))  # pyright: ignore[reportAttributeAccessIssue]  -- the route's argument
        self._clear()
        return SharedText.follow


def _shared_view(row: MessageView, thread_id: str, token: str) -> MessageView:
    """Return a message's row without controls, and with file paths that use the token."""
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
    state = part.tool.state
    shown = "open" if state in _RUNNING else "waiting" if state in _WAITING else state
    if state == "running" and part.tool.name in TOOL_VIEWS:
        shown = state  # its view shows neither attempts nor durations
    return replace(part, tool=replace(part.tool, state=shown, opened=False))


def _file(file: FileView, prefix: str, token: str) -> FileView:
    if not file.path.startswith(prefix):
        return file
    path, shown = (
        each and f"/shared/{quote(token, safe='')}/{each.removeprefix(prefix)}"
        for each in (file.path, file.shown)
    )
    return replace(file, path=path, shown=shown)
