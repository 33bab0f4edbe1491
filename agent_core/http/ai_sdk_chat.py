"""Serve the AI SDK's `useChat` with its DefaultChatTransport: `/chat` and the paths below it.

    useChat({ id: threadId, transport: new DefaultChatTransport({ api: "/agents/chat" }) })

The database has the messages. Of the client's list, the last message is the one to send, the message before it
determines its place in the tree of messages, and of an assistant's message only a user's answers are read. So a
client that edits, cuts its list, sends twice or is behind is answered at the place that its list names.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_core.agent import CallContext
from agent_core.api.base import storable
from agent_core.domain.messages import OPEN_TOOL_STATES, Part, Thread
from agent_core.domain.states import RUNNING, ThreadStatus
from agent_core.domain.validation import prompt_parts
from agent_core.errors import (
    AgentCoreError,
    MessageNotFoundError,
    ThreadBusyError,
    ThreadNotFoundError,
    ToolCallFinishedError,
    ToolCallNotFoundError,
    ValidationError,
    words_of,
)
from agent_core.http.ai_sdk_request import Answer, Posted, has_content, read_answers, read_posted
from agent_core.http.ai_sdk_stream import HEADERS, Turn, is_resting, ui_stream
from agent_core.http.requests import Context, body_of, caller
from agent_core.http.responses import answer, guarded
from agent_core.http.sse import EventStream, framed
from agent_core.sentences import sentence
from agent_core.store.reads.client_messages import ClientMessage, find_client_message
from agent_core.store.turns.branches import ROOT
from agent_core.store.turns.turns import WhenBusy
from agent_core.streaming.fold import ThreadView

if TYPE_CHECKING:
    from agent_core.api import AgentApi

_MAX_EMPTY = 50  # messages without content that a client may show before its last one
_RETRIED = (ThreadStatus.FAILED, ThreadStatus.STOPPED)


class ChatEndpoints:
    """Endpoints of an API for the AI SDK; the arguments are those of `PublicAgentApi.http_app`."""

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
        """Send the client's last message, or report the answers in it, and stream the turn."""
        ctx = await caller(self._context, request)
        posted = read_posted(await body_of(request, self._max_body))
        version = _version(request)
        sending = _Sending(self._api, posted, posted.when_busy or self._when_busy, ctx)
        if posted.regenerates:
            turn = Turn(prompt=await sending.regenerate(), version=version)
        elif posted.last["role"] == "user":
            turn = Turn(prompt=await sending.send(), version=version)
        else:
            answers = read_answers(posted.last["parts"])
            await self._check_thread(posted.thread_id, ctx)
            for one in answers:
                await self._report(posted.thread_id, one, ctx)
            turn = Turn(reply=posted.last, version=version)
        return self._streaming(posted.thread_id, turn, ctx)

    async def get(self, request: Request) -> Response:
        """Return the messages of a thread, without a reply in progress, which `stream` sends."""
        ctx = await caller(self._context, request)
        thread_id: str = request.path_params["thread_id"]
        await self._check_thread(thread_id, ctx)
        view = ThreadView()
        async with contextlib.aclosing(self._api.subscribe(thread_id, ctx=ctx)) as updates:
            view.apply(await anext(updates))
        messages = [_ui(message) for message in view.messages if not _in_progress(view, message)]
        return answer({"id": thread_id, "status": view.thread.get("status"), "messages": messages})

    async def stream(self, request: Request) -> Response:
        """Stream the turn in progress from its beginning; 204 if there is none, or it waits for a person."""
        ctx = await caller(self._context, request)
        thread = await self._api.get_thread(request.path_params["thread_id"], ctx=ctx)
        if (
            thread is None
            or thread.status not in RUNNING
            or await is_resting(self._api, thread.id, thread.cursor)
        ):
            return answer(None)
        return self._streaming(thread.id, Turn(version=_version(request)), ctx)

    async def _check_thread(self, thread_id: str, ctx: CallContext | None) -> None:
        """Raise unless the thread exists and the caller may read it."""
        if await self._api.get_thread(thread_id, ctx=ctx) is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))

    async def _report(self, thread_id: str, given: Answer, ctx: CallContext | None) -> None:
        """Report an answer, unless the call was answered before."""
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
            except AgentCoreError as error:  # deleted, or no longer authorized
                yield framed({"type": "error", "errorText": words_of(error)})
            yield "data: [DONE]\n\n"

        return EventStream(events(), self._heartbeat, HEADERS)


def _version(request: Request) -> int | None:
    """Return the major version of the client's AI SDK from its header `x-ai-sdk`, or None."""
    major = request.headers.get("x-ai-sdk", "").partition(".")[0].strip()
    return int(major) if major.isdecimal() and len(major) < 4 else None


def _ui(message: dict[str, Any]) -> dict[str, Any]:
    return {key: message[key] for key in ("id", "role", "parts", "metadata")}


def _in_progress(view: ThreadView, message: dict[str, Any]) -> bool:
    """Whether a message is the reply in progress; only queued messages follow that."""
    placed = [one for one in view.messages if not one["metadata"].get("queued")]
    return message["role"] == "assistant" and message["id"] == placed[-1]["id"] and _continues(view, message)


def _continues(view: ThreadView, reply: dict[str, Any]) -> bool:
    """Whether the thread continues without a person."""
    status = view.thread.get("status")
    if status != "awaiting_tool_results":
        return status in RUNNING
    calls = [part for part in reply["parts"] if part.get("state") in OPEN_TOOL_STATES]
    return any(
        part["state"] != "approval-requested"
        and view.runs.get(part.get("toolCallId"), {}).get("status") != "waiting"
        for part in calls
    )


class _Sending:
    """Begins the turn of a request."""

    def __init__(self, api: AgentApi, posted: Posted, when_busy: WhenBusy, ctx: CallContext | None) -> None:
        self._api = api
        self._posted = posted
        self._thread_id = posted.thread_id
        self._when_busy: WhenBusy = when_busy
        self._ctx = ctx

    async def send(self) -> str:
        """Begin the turn of the last message unless it has begun; return the id of the message that is answered.

        A thread that does not exist is created.

        Raises:
            ValidationError: the message is invalid, or the list is not one of this thread.
            ThreadBusyError: another turn is in progress and continues.
        """
        message, parts = self._posted.last, prompt_parts(self._posted.last["parts"])
        if not await self._exists():
            try:
                return await self._create(message)
            except ValidationError:
                if not await self._exists():  # else a duplicate of this request has created it
                    raise
        thread = await self._thread()
        place = await self._find(message["id"], parts)
        if place is None:
            return await self._send_as(message["id"], await self._after())
        _check_role(message["id"], place)
        if self._is_begun(place, thread):
            return place.id
        return await self._edit(message["id"], place, parts)

    async def regenerate(self) -> str:
        """Answer again, and return the id of the message that is answered.

        Raises:
            ThreadNotFoundError, MessageNotFoundError
            ThreadBusyError: another turn is in progress and continues.
        """
        last, target = self._posted.last, self._posted.message_id
        if last["role"] == "user" and target in (None, last["id"]):
            return await self._answer_again(last)
        await self._thread()
        place = await self._find(target or last["id"], None)
        if place is None or place.role != "assistant":
            raise MessageNotFoundError(f"The thread has no reply {target or last['id']!r:.60}.")
        if place.parent_id is None and last["role"] == "user":  # the reply has no row yet
            return await self._answer_again(last)
        await self._regenerate(place.id, place.parent_id)
        return place.parent_id or ROOT

    async def _answer_again(self, message: dict[str, Any]) -> str:
        """Answer a user's message again; a changed message, or one that never arrived, is sent."""
        parts = prompt_parts(message["parts"])
        place = await self._find(message["id"], parts) if await self._exists() else None
        if place is None or not place.has_words:
            return await self.send()
        _check_role(message["id"], place)
        await self._thread()
        await self._regenerate(place.id, place.id)
        return place.id

    async def _regenerate(self, message_id: str, question: str | None) -> None:
        try:
            await self._api.regenerate(
                self._thread_id, message_id, when_busy=self._when_busy, anywhere=True, ctx=self._ctx
            )
        except ThreadBusyError:
            place = await self._find(question, None) if question else None
            if place is None or not place.newest:
                raise  # else a duplicate of this request has begun the turn

    def _is_begun(self, place: ClientMessage, thread: Thread) -> bool:
        """Whether the message's turn is the thread's newest, and the client does not retry it."""
        retries = self._posted.message_id == self._posted.last["id"] and thread.status in _RETRIED
        return place.has_words and place.newest and not retries

    async def _edit(self, message_id: str, place: ClientMessage, parts: list[Part]) -> str:
        """Send the message as another version at its place."""
        # The id is derived from the place, so that a duplicate of the request is the same message.
        key = f"{self._thread_id}\0{message_id}\0{place.count}\0{parts!r}"
        name = f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        return await self._send_as(name, place.parent_id or ROOT)

    async def _send_as(self, name: str, after: str | None) -> str:
        """Send the last message with an id, after a message or (None) at the end of the thread."""
        message = self._posted.last
        stored = await self._api.send_message(
            self._thread_id,
            message["parts"],
            message_id=name,
            when_busy=self._when_busy,
            after=after,
            metadata=message.get("metadata"),
            ctx=self._ctx,
        )
        return stored.id

    async def _create(self, message: dict[str, Any]) -> str:
        """Create the thread with all user messages of the list, of which earlier ones never arrived."""
        if any(one["role"] == "assistant" and has_content(one) for one in _from_first_prompt(self._posted)):
            raise ThreadNotFoundError(
                f"There is no thread {self._thread_id!r:.60} with these messages; it may have been deleted."
            )
        sent = [one for one in self._posted.messages if one["role"] == "user"]
        messages = [{key: one.get(key) for key in ("id", "role", "parts", "metadata")} for one in sent]
        await self._api.create_thread(
            messages=messages, auto_start=True, thread_id=self._thread_id, ctx=self._ctx
        )
        return message["id"]

    async def _after(self) -> str | None:
        """Return the id of the message before the last one in the client's list; None: the thread's last message.

        Raises:
            ValidationError: the thread has no such message.
        """
        if len(self._posted.messages) == 1:  # most such clients always send only the last message
            return ROOT if self._posted.is_whole else None
        for message in reversed(self._posted.earlier[-_MAX_EMPTY:]):
            place = await self._find(message["id"], _words(message))
            if place is not None:
                return place.id
            if message["role"] == "user" or has_content(message):
                return await self._unknown(message["id"])
        return None

    async def _unknown(self, message_id: str) -> None:
        """Raise for a message of another list, unless the thread is empty: pages show greetings of their own."""
        if await self._api.list_messages(self._thread_id, limit=1, ctx=self._ctx):
            raise ValidationError(
                f"The thread has no message {message_id!r:.60}, which is before the last one. "
                f"Load its messages (GET /chat/{{id}}) and send again."
            )

    async def _find(self, message_id: str, parts: list[Part] | None) -> ClientMessage | None:
        if not storable(message_id):
            return None
        return await self._api.store.read(find_client_message, self._thread_id, message_id, parts)

    async def _exists(self) -> bool:
        """Whether the thread exists, without authorization, which cannot know a new thread."""
        return await self._api.store.get_thread(self._thread_id) is not None

    async def _thread(self) -> Thread:
        thread = await self._api.get_thread(self._thread_id, ctx=self._ctx)
        if thread is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=self._thread_id))
        return thread


def _from_first_prompt(posted: Posted) -> list[dict[str, Any]]:
    """Return the messages from the first user message on, without a greeting of the page."""
    first = next(place for place, one in enumerate(posted.messages) if one["role"] == "user")
    return posted.messages[first:]


def _check_role(message_id: str, place: ClientMessage) -> None:
    if place.role != "user":
        raise ValidationError(f"The message {message_id!r:.60} has the role {place.role}, not user.")


def _words(message: dict[str, Any]) -> list[Part] | None:
    """Return the parts of a user's message as they would be stored; None: any parts match."""
    try:
        return prompt_parts(message["parts"]) if message["role"] == "user" else None
    except ValidationError:
        return None
