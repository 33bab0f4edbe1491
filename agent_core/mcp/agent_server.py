"""Serve agents as tools of an MCP server over streamable HTTP (https://modelcontextprotocol.io).

A call sends a message to a thread and returns the reply. Work belongs to the thread, not to the connection: a client
that has lost it calls again with the same `thread_id` and `message_id`, and gets the answer of the first call.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from starlette.types import Receive, Scope, Send

from agent_core.agent import CallContext
from agent_core.domain.messages import Message, Thread, Waiting
from agent_core.domain.states import ThreadStatus
from agent_core.errors import AgentCoreError, ValidationError, words_of

_WAIT_INTERVAL = 1.0
"""Seconds between two progress notifications, which keep a client from giving up."""

_INPUT: dict[str, Any] = {
    "type": "object",
    "required": ["message"],
    "additionalProperties": False,
    "properties": {
        "message": {"type": "string", "description": "What to tell the agent."},
        "thread_id": {
            "type": "string",
            "description": "The conversation to continue, or the id of a new one; by default a new one.",
        },
        "message_id": {
            "type": "string",
            "description": "An id of the message: a call that is repeated with it is one message, answered once.",
        },
    },
}
_OUTPUT: dict[str, Any] = {
    "type": "object",
    "required": ["thread_id", "status", "text"],
    "properties": {
        "thread_id": {"type": "string"},
        "status": {"type": "string", "description": "completed, failed, stopped, or awaiting_tool_results"},
        "text": {"type": "string", "description": "The reply."},
    },
}


class Api(Protocol):
    """The methods of an `AgentApi` that a call uses."""

    async def get_thread(self, thread_id: str, *, ctx: CallContext | None) -> Thread | None:
        """Return a thread."""
        ...

    async def create_thread(
        self,
        prompt: str,
        *,
        agent: str,
        thread_id: str | None,
        message_id: str | None,
        ctx: CallContext | None,
    ) -> Thread:
        """Create a thread."""
        ...

    async def send_message(
        self,
        thread_id: str,
        prompt: str,
        *,
        message_id: str | None,
        when_busy: Literal["queue"],
        ctx: CallContext | None,
    ) -> Message:
        """Send a message."""
        ...

    async def wait_until_idle(self, thread_id: str, timeout: float, *, ctx: CallContext | None) -> Thread:
        """Wait until a thread is idle."""
        ...

    async def list_messages(self, thread_id: str, *, ctx: CallContext | None) -> list[Message]:
        """Return the messages of a thread."""
        ...

    async def list_waiting(self, *, ctx: CallContext | None) -> list[Waiting]:
        """Return the calls that wait for people."""
        ...


async def serve_agents(
    api: Api, agents: Mapping[str, str], ctx: CallContext | None, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one HTTP request of an MCP client; sessions are not needed, so any process may get the next one.

    Args:
        api: an `AgentApi`.
        agents: descriptions of the agents, by name.
        ctx: the caller.
        scope, receive, send: of the ASGI connection; the caller checks `Host` and `Origin`.
    """
    server = _server(api, agents, ctx)
    trusted = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    manager = StreamableHTTPSessionManager(server, stateless=True, security_settings=trusted)
    async with manager.run():
        await manager.handle_request(scope, receive, send)


def _server(api: Api, agents: Mapping[str, str], ctx: CallContext | None) -> Server[Any]:
    tools = {_tool_name(agent): agent for agent in agents}

    async def list_tools(
        _: ServerRequestContext[Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(name=name, description=agents[agent], input_schema=_INPUT, output_schema=_OUTPUT)
                for name, agent in tools.items()
            ]
        )

    async def call_tool(request: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        try:
            if params.name not in tools:
                raise ValidationError(
                    f"There is no agent {params.name!r:.60}; there are: {', '.join(tools)}."
                )
            call = _Call(api, tools[params.name], _arguments(params.arguments), ctx)
            return await call.run(request.session.report_progress)
        except AgentCoreError as error:
            return CallToolResult(content=[TextContent(type="text", text=words_of(error))], is_error=True)

    return Server("durable-agents", on_list_tools=list_tools, on_call_tool=call_tool)


def _tool_name(agent: str) -> str:
    """Return an agent's name with the characters that a tool's name may have."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", agent)[:64]


def _arguments(given: dict[str, Any] | None) -> dict[str, str]:
    """Return the arguments of a call.

    Raises:
        ValidationError: one is missing, unknown or not a text.
    """
    found = given or {}
    if unknown := sorted(found.keys() - _INPUT["properties"].keys()):
        raise ValidationError(f"Unknown argument {unknown[0]!r:.60}.")
    if wrong := [name for name, value in found.items() if not isinstance(value, str)]:
        raise ValidationError(f"The argument {wrong[0]!r} must be a string.")
    if not found.get("message"):
        raise ValidationError("The argument 'message' is missing.")
    return found


class _Call:
    """Call of an agent's tool: its message, and the thread of it."""

    def __init__(self, api: Api, agent: str, given: dict[str, str], ctx: CallContext | None) -> None:
        self._api = api
        self._agent = agent
        self._given = given
        self._ctx = ctx

    async def run(self, report: Callable[..., Awaitable[None]]) -> CallToolResult:
        """Send the message, wait for the reply, and return it.

        Raises:
            AgentCoreError: the API refused the message.
        """
        thread_id, message_id = await self._send()
        thread = await self._wait(thread_id, report)
        text = await self._reply(thread_id, message_id) or _without_reply(thread)
        answer = {"thread_id": thread_id, "status": str(thread.status), "text": text}
        return CallToolResult(
            content=[TextContent(type="text", text=one) for one in (text, f"(thread_id: {thread_id})")],
            structured_content=answer,
            is_error=thread.status == ThreadStatus.FAILED,
        )

    async def _send(self) -> tuple[str, str | None]:
        """Send the message once; return the ids of its thread and, if it is known, of the message."""
        thread_id, name = self._given.get("thread_id"), self._given.get("message_id")
        if thread_id is None or not await self._exists(thread_id):
            try:
                return await self._create(thread_id, name), name
            except ValidationError:
                if thread_id is None or not await self._exists(thread_id):
                    raise  # else a duplicate of this call has created it
        sent = await self._api.send_message(
            thread_id, self._given["message"], when_busy="queue", message_id=name, ctx=self._ctx
        )
        return thread_id, sent.id

    async def _exists(self, thread_id: str) -> bool:
        return await self._api.get_thread(thread_id, ctx=self._ctx) is not None

    async def _create(self, thread_id: str | None, name: str | None) -> str:
        made = await self._api.create_thread(
            self._given["message"], agent=self._agent, thread_id=thread_id, message_id=name, ctx=self._ctx
        )
        return made.id

    async def _wait(self, thread_id: str, report: Callable[..., Awaitable[None]]) -> Thread:
        """Wait until the thread is idle, or waits for people, and return it."""
        seconds = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                return await self._api.wait_until_idle(thread_id, _WAIT_INTERVAL, ctx=self._ctx)
            seconds += _WAIT_INTERVAL
            await report(seconds, None, "The agent is working.")
            thread = await self._api.get_thread(thread_id, ctx=self._ctx)
            if thread is not None and thread.status == ThreadStatus.AWAITING:
                waiting = await self._api.list_waiting(ctx=self._ctx)
                if any(one.thread_id == thread_id for one in waiting):
                    return thread

    async def _reply(self, thread_id: str, message_id: str | None) -> str:
        """Return the text of the reply to a message, or of the newest one."""
        messages = await self._api.list_messages(thread_id, ctx=self._ctx)
        places = [place for place, one in enumerate(messages) if one.id == message_id]
        after = messages[places[0] + 1 :][:1] if places else messages[-1:]
        return "".join(one.text for one in after if one.role == "assistant")


def _without_reply(thread: Thread) -> str:
    """Return what to say about a thread whose reply has no text."""
    if thread.status == ThreadStatus.AWAITING:
        return "The agent waits for a person: for the approval or the result of a tool call."
    return thread.error or f"The agent ended without text; the thread is {thread.status}."
