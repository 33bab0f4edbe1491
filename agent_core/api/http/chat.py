"""The paths that `useChat` of the AI SDK asks with its DefaultChatTransport: `/chat` and what is below.

    useChat({ id: threadId, transport: new DefaultChatTransport({ api: "/agents/chat" }) })

The rows are the truth: of the messages that the client sends only the last one is read, and of an
assistant's message only what a person has answered in it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_core.agent import CallContext
from agent_core.api.base import storable
from agent_core.api.http.answers import answer, guarded
from agent_core.api.http.asked import Context, body_of, caller, expect, is_object
from agent_core.api.http.events import EventStream, framed
from agent_core.api.http.ui_stream import HEADERS, rests, ui_stream
from agent_core.errors import (
    AgentCoreError,
    ThreadNotFoundError,
    ToolCallFinishedError,
    ToolCallNotFoundError,
    ValidationError,
    words_of,
)
from agent_core.fold import ThreadView
from agent_core.gate import prompt_parts
from agent_core.messages import OPEN_TOOL_STATES, Thread, is_tool_part
from agent_core.states import RUNNING

if TYPE_CHECKING:
    from agent_core.api import AgentApi


class Chat:
    """The endpoints for one API.

    Args:
        api: the API.
        context: who calls.
        max_body: the longest body, in bytes.
        heartbeat: seconds between signs of life.
    """

    def __init__(self, api: AgentApi, context: Context | None, max_body: int, heartbeat: float) -> None:
        self._api = api
        self._context = context
        self._max_body = max_body
        self._heartbeat = heartbeat

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/chat", guarded(self.post), methods=["POST"]),
            Route("/chat/{thread_id}", guarded(self.get), methods=["GET"]),
            Route("/chat/{thread_id}/stream", guarded(self.stream), methods=["GET"]),
        ]

    async def post(self, request: Request) -> Response:
        """Send the client's last message, or what it answered in it, and stream what that causes."""
        ctx = await caller(self._context, request)
        body = await body_of(request, self._max_body)
        thread_id, last = _sent(body)
        if body.get("trigger") == "regenerate-message":
            return await self._regenerate(thread_id, body.get("messageId") or last["id"], ctx)
        if last["role"] == "user":
            cursor = await self._send(thread_id, last, body.get("when_busy") or "reject", ctx)
            return self._streaming(thread_id, cursor, None, ctx)
        cursor = (await self._thread(thread_id, ctx)).cursor
        await self._answer(thread_id, last["parts"], ctx)
        return self._streaming(thread_id, cursor, last["id"], ctx)

    async def get(self, request: Request) -> Response:
        """Return the messages to begin with; a reply under way is left to `stream`."""
        ctx = await caller(self._context, request)
        thread_id: str = request.path_params["thread_id"]
        await self._thread(thread_id, ctx)
        view = ThreadView()
        async with contextlib.aclosing(self._api.subscribe(thread_id, ctx=ctx)) as updates:
            view.apply(await anext(updates))
        messages = [_ui(message) for message in view.messages]
        if _works(view):
            messages = messages[:-1] + [m for m in messages[-1:] if m["role"] == "user"]
        return answer({"id": thread_id, "status": view.thread.get("status"), "messages": messages})

    async def stream(self, request: Request) -> Response:
        """Stream the turn under way from its beginning; 204 if there is none, or it waits for a person."""
        ctx = await caller(self._context, request)
        thread = await self._thread(request.path_params["thread_id"], ctx)
        if thread.status not in RUNNING or await rests(self._api, thread.id, thread.cursor):
            return answer(None)
        return self._streaming(thread.id, None, None, ctx)

    async def _thread(self, thread_id: str, ctx: CallContext | None) -> Thread:
        thread = await self._api.get_thread(thread_id, ctx=ctx)
        if thread is None:
            raise ThreadNotFoundError(f"There is no thread {thread_id!r}; it may have been deleted.")
        return thread

    async def _send(
        self, thread_id: str, message: dict[str, Any], when_busy: Any, ctx: CallContext | None
    ) -> int | None:
        """Send the message, in a new thread if there is none.

        Returns:
            the cursor that its turn follows; None: its turn is to be read from its beginning.
        """
        if when_busy not in ("reject", "interrupt"):
            raise ValidationError(
                'when_busy must be "reject" or "interrupt" here; a queued turn streams later.'
            )
        prompt, message_id = message["parts"], message["id"]
        if not await self._exists(thread_id):
            await self._api.create_thread(prompt, thread_id=thread_id, message_id=message_id, ctx=ctx)
            return 0
        thread = await self._thread(thread_id, ctx)
        known = await asyncio.to_thread(self._api.runtime.reads.message, thread_id, message_id)
        if known is not None:
            if known.parts != prompt_parts(prompt):  # the person has changed it
                await self._api.edit_message(thread_id, message_id, prompt, ctx=ctx)
            return None  # else it is sent again, perhaps because the connection broke: the same turn
        await self._api.send_message(thread_id, prompt, message_id=message_id, when_busy=when_busy, ctx=ctx)
        return thread.cursor

    async def _regenerate(self, thread_id: str, message_id: Any, ctx: CallContext | None) -> Response:
        await self._api.regenerate(thread_id, message_id, ctx=ctx)
        return self._streaming(thread_id, None, None, ctx)

    async def _exists(self, thread_id: str) -> bool:
        """Say so without asking who may: whoever owns threads cannot know one that is not there yet."""
        if not storable(thread_id):
            return False
        return await asyncio.to_thread(self._api.runtime.reads.thread, thread_id) is not None

    async def _answer(self, thread_id: str, parts: list[Any], ctx: CallContext | None) -> None:
        """Bring what a person has answered in the client: outcomes of async tools, approvals."""
        for part in parts:
            if is_object(part) and is_tool_part(part) and isinstance(part.get("toolCallId"), str):
                with contextlib.suppress(ToolCallFinishedError, ToolCallNotFoundError):
                    await self._answer_one(thread_id, part, ctx)

    async def _answer_one(self, thread_id: str, part: dict[str, Any], ctx: CallContext | None) -> None:
        call_id, state = part["toolCallId"], part.get("state")
        if state == "output-available":
            await self._api.add_tool_result(call_id, part.get("output"), thread_id=thread_id, ctx=ctx)
        elif state == "output-error":
            words = str(part.get("errorText") or "")
            await self._api.add_tool_error(call_id, words, thread_id=thread_id, ctx=ctx)
        elif state == "approval-responded":
            approval: dict[str, Any] = part.get("approval") or {}
            if approval.get("approved") is True:
                await self._api.approve_tool_calls(thread_id, [call_id], ctx=ctx)
            else:
                reason = approval.get("reason")
                words = None if reason is None else str(reason)
                await self._api.deny_tool_calls(thread_id, [call_id], words, ctx=ctx)

    def _streaming(
        self, thread_id: str, cursor: int | None, reply: str | None, ctx: CallContext | None
    ) -> Response:
        async def events() -> AsyncGenerator[str]:
            chunks = ui_stream(self._api, thread_id, cursor, reply, ctx)
            try:
                async with contextlib.aclosing(chunks):
                    async for chunk in chunks:
                        yield framed(chunk)
            except AgentCoreError as error:  # deleted, or not allowed any more
                yield framed({"type": "error", "errorText": words_of(error)})
            yield "data: [DONE]\n\n"

        return EventStream(events(), self._heartbeat, HEADERS)


def _sent(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the thread's id and the last message of what a client sent; it may send more of its own.

    Raises:
        ValidationError: it is not what DefaultChatTransport sends.
    """
    expect(body, {"id": (str,), "messages": (list,), "trigger": (str,), "messageId": (str,)})
    if body.get("trigger") not in (None, "submit-message", "regenerate-message"):
        raise ValidationError("The trigger is submit-message or regenerate-message.")
    last: Any = (body.get("messages") or [None])[-1]
    if not body.get("id") or not is_object(last) or not isinstance(last.get("parts"), list):
        raise ValidationError('Send {"id": the thread\'s, "messages": [{"id", "role", "parts"}, …]}.')
    if last.get("role") not in ("user", "assistant") or not isinstance(last.get("id"), str):
        raise ValidationError("The last message must have an id and the role user or assistant.")
    return body["id"], last


def _ui(message: dict[str, Any]) -> dict[str, Any]:
    return {key: message[key] for key in ("id", "role", "parts", "metadata")}


def _works(view: ThreadView) -> bool:
    """Whether the thread goes on without a person, as one look at it shows."""
    status = view.thread.get("status")
    if status != "awaiting_tool_results":
        return status in RUNNING
    parts = [part for message in view.messages[-1:] for part in message["parts"]]
    calls = [part for part in parts if part.get("state") in OPEN_TOOL_STATES]
    return any(
        part["state"] != "approval-requested"
        and view.runs.get(part.get("toolCallId"), {}).get("status") != "waiting"
        for part in calls
    )
