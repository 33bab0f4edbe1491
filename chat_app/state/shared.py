"""A thread as somebody sees it who has its link: as it stands now, to be read only."""

from dataclasses import replace
from urllib.parse import quote

import reflex as rx

from agent_core import Message
from agent_core.errors import AgentCoreError
from chat_app.state.listing import thread_title
from chat_app.state.present import Context, message_view
from chat_app.state.service import service
from chat_app.state.view import FileView, MessageView, PartView

OPEN = ("preparing", "running", "retrying", "approval", "answer")


class Shared(rx.State):
    """The thread of the link in this tab.

    Attributes:
        phase: loading, ready or missing.
        messages: the branch that is shown; nothing in it can be answered.
    """

    phase: str = "loading"
    title: str = ""
    messages: list[MessageView] = []

    @rx.event
    async def open(self):
        """Read the thread whose token stands in the address."""
        await self.read(str(self.token or ""))  # pyright: ignore[reportAttributeAccessIssue]  -- the route's argument

    async def read(self, token: str) -> None:
        """Show the thread with this token."""
        self.phase, self.title, self.messages = "loading", "", []
        try:
            found = await service().api.read_shared(token)
        except AgentCoreError:
            found = None
        if found is None:
            self.phase = "missing"
            return
        thread, messages = found
        self.title = thread_title(thread.title)
        self.messages = [shared_view(message, token) for message in messages]
        self.phase = "ready"


def shared_view(message: Message, token: str) -> MessageView:
    """Return the row of a message with nothing that a reader could press, and files by the token."""
    plain = message.to_dict()
    row = message_view(plain, Context(more={message.id: 1_000}))
    prefix = f"/files/{quote(message.thread_id, safe='')}/"
    files = [_file(file, prefix, token) for file in row.files]
    return replace(row, files=files, parts=[_part(part) for part in row.parts], place=0, count=0)


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
