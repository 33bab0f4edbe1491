"""The paths that `useChat` of the AI SDK asks with its DefaultChatTransport: `/chat` and what is below.

    useChat({ id: threadId, transport: new DefaultChatTransport({ api: "/agents/chat" }) })

The rows are the truth: the last message that the client sends is what it wants, the one before says
where in the tree of messages that belongs, and of an assistant's message only what a person has
answered in it is read.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_core.agent import CallContext
from agent_core.domain.messages import OPEN_TOOL_STATES
from agent_core.domain.states import RUNNING
from agent_core.errors import (
    AgentCoreError,
    ThreadNotFoundError,
    ToolCallFinishedError,
    ToolCallNotFoundError,
    words_of,
)
from agent_core.http.ai_sdk_request import Answer, read_answers, read_posted
from agent_core.http.ai_sdk_stream import HEADERS, Turn, rests, ui_stream
from agent_core.http.ai_sdk_turns import Sending
from agent_core.http.requests import Context, body_of, caller
from agent_core.http.responses import answer, guarded
from agent_core.http.sse import EventStream, framed
from agent_core.sentences import sentence
from agent_core.store.turns.turns import WhenBusy
from agent_core.streaming.fold import ThreadView

if TYPE_CHECKING:
    from agent_core.api import AgentApi


class Chat:
    """The endpoints for one API.

    Args:
        api: the API.
        context: who calls.
        max_body: the longest body, in bytes.
        heartbeat: seconds between signs of life.
        when_busy: what becomes of a turn under way, where the client does not say.
    """

    def __init__(
        self, api: AgentApi, context: Context | None, max_body: int, heartbeat: float, when_busy: WhenBusy
    ) -> None:
        self._api = api
        self._context = context
        self._max_body = max_body
        self._heartbeat = heartbeat
        self._when_busy: WhenBusy = when_busy

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
        posted = read_posted(await body_of(request, self._max_body))
        version = _version(request)
        sending = Sending(self._api, posted, posted.when_busy or self._when_busy, ctx)
        if posted.regenerates:
            turn = Turn(prompt=await sending.regenerate(), version=version)
        elif posted.last["role"] == "user":
            turn = Turn(prompt=await sending.send(), version=version)
        else:
            answers = read_answers(posted.last["parts"])
            await self._thread(posted.thread_id, ctx)
            for one in answers:
                await self._bring(posted.thread_id, one, ctx)
            turn = Turn(reply=posted.last, version=version)
        return self._streaming(posted.thread_id, turn, ctx)

    async def get(self, request: Request) -> Response:
        """Return the messages to begin with; a reply under way is left to `stream`."""
        ctx = await caller(self._context, request)
        thread_id: str = request.path_params["thread_id"]
        await self._thread(thread_id, ctx)
        view = ThreadView()
        async with contextlib.aclosing(self._api.subscribe(thread_id, ctx=ctx)) as updates:
            view.apply(await anext(updates))
        messages = [_ui(message) for message in view.messages if not _under_way(view, message)]
        return answer({"id": thread_id, "status": view.thread.get("status"), "messages": messages})

    async def stream(self, request: Request) -> Response:
        """Stream the turn under way from its beginning; 204 if there is none, or it waits for a person."""
        ctx = await caller(self._context, request)
        thread = await self._api.get_thread(request.path_params["thread_id"], ctx=ctx)
        if thread is None or thread.status not in RUNNING or await rests(self._api, thread.id, thread.cursor):
            return answer(None)
        return self._streaming(thread.id, Turn(version=_version(request)), ctx)

    async def _thread(self, thread_id: str, ctx: CallContext | None) -> None:
        """Refuse who asks for a thread that is not there, or not theirs."""
        if await self._api.get_thread(thread_id, ctx=ctx) is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))

    async def _bring(self, thread_id: str, given: Answer, ctx: CallContext | None) -> None:
        """Bring an answer; one that somebody else was faster with is left out."""
        api, call_id = self._api, given.call_id
        with contextlib.suppress(ToolCallFinishedError, ToolCallNotFoundError):
            if given.state == "output-available":
                await api.add_tool_result(call_id, given.output, thread_id=thread_id, ctx=ctx)
            elif given.state == "output-error":
                await api.add_tool_error(call_id, given.words or "", thread_id=thread_id, ctx=ctx)
            elif given.approved:
                await api.approve_tool_calls(thread_id, [call_id], ctx=ctx)
            else:
                await api.deny_tool_calls(thread_id, [call_id], given.words, ctx=ctx)

    def _streaming(self, thread_id: str, turn: Turn, ctx: CallContext | None) -> Response:
        async def events() -> AsyncGenerator[str]:
            chunks = ui_stream(self._api, thread_id, turn, ctx)
            try:
                async with contextlib.aclosing(chunks):
                    async for chunk in chunks:
                        yield framed(chunk)
            except AgentCoreError as error:  # deleted, or not allowed any more
                yield framed({"type": "error", "errorText": words_of(error)})
            yield "data: [DONE]\n\n"

        return EventStream(events(), self._heartbeat, HEADERS)


def _version(request: Request) -> int | None:
    """Return the client's version of the AI SDK, as far as it says it (`x-ai-sdk: 6`)."""
    major = request.headers.get("x-ai-sdk", "").partition(".")[0].strip()
    return int(major) if major.isdecimal() and len(major) < 4 else None


def _ui(message: dict[str, Any]) -> dict[str, Any]:
    return {key: message[key] for key in ("id", "role", "parts", "metadata")}


def _under_way(view: ThreadView, message: dict[str, Any]) -> bool:
    """Whether a message is the reply that is being written; what is queued stands behind it."""
    placed = [one for one in view.messages if not one["metadata"].get("queued")]
    return message["role"] == "assistant" and message["id"] == placed[-1]["id"] and _works(view, message)


def _works(view: ThreadView, reply: dict[str, Any]) -> bool:
    """Whether the thread goes on without a person, as one look at it shows."""
    status = view.thread.get("status")
    if status != "awaiting_tool_results":
        return status in RUNNING
    calls = [part for part in reply["parts"] if part.get("state") in OPEN_TOOL_STATES]
    return any(
        part["state"] != "approval-requested"
        and view.runs.get(part.get("toolCallId"), {}).get("status") != "waiting"
        for part in calls
    )
