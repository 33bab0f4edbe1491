"""Feed of the tool calls that wait for a user in any thread, shared by the user's tabs."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from agent_core import AgentApi
from agent_core.domain.messages import TOOL_PREFIX, Waiting
from agent_core.errors import AgentCoreError
from chat_app.plain_text import thread_title
from chat_app.session.user_lists import READ_INTERVAL, ListKind, UserList
from chat_app.thread.message_views import MessageContext, tool_view
from chat_app.thread.views import ToolCallView

_log = logging.getLogger(__name__)

_MAX_SHOWN = 100
"""Maximum number of shown calls; more appear as these are decided."""


@dataclass(frozen=True)
class WaitingView:
    """Tool call of any thread that has waited for the user since `at`, in seconds since the epoch."""

    thread_id: str
    title: str
    at: float
    tool: ToolCallView


class InboxFeed(UserList):
    """Reader of the tool calls that wait for a user, shared by the user's tabs.

    Attributes:
        items: the calls, longest wait first.
    """

    def __init__(self, api: AgentApi) -> None:
        super().__init__(api)
        self.items: list[WaitingView] = []

    async def follow(self) -> None:
        """Read the calls at each change of a thread, until cancelled."""
        async for _ in self._api.changes():
            try:
                waiting = await self._api.list_waiting(_MAX_SHOWN)
                self._publish(items=[_waiting_view(call) for call in waiting])
            except AgentCoreError:
                _log.exception("Could not read the inbox; retrying at the next change")
            await asyncio.sleep(READ_INTERVAL)


INBOX = ListKind(lambda api, _: InboxFeed(api))
"""Kind of list that holds a user's waiting calls."""


def _waiting_view(call: Waiting) -> WaitingView:
    """Return the row of a waiting call, with the tool as its thread shows it."""
    asks = call.kind == "approval"
    part = {
        "type": TOOL_PREFIX + call.name,
        "toolCallId": call.tool_call_id,
        "state": "approval-requested" if asks else "input-available",
        "input": call.input,
    }
    tool = tool_view(part, MessageContext(is_async=lambda name: not asks))
    return WaitingView(call.thread_id, thread_title(call.title), call.since.timestamp(), tool)
