"""Sending: where in a thread's tree of messages the end of a client's list belongs, and its turn begun there.

A client knows its messages by the ids it gave or was given, and its list is what its person sees. Whoever
edits, cuts the list, sends twice or comes late is answered at the place that the list names.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from agent_core.agent import CallContext
from agent_core.api.base import storable
from agent_core.domain.messages import Part, Thread
from agent_core.domain.states import ThreadStatus
from agent_core.domain.validation import prompt_parts
from agent_core.errors import MessageNotFoundError, ThreadBusyError, ThreadNotFoundError, ValidationError
from agent_core.http.ai_sdk_request import Posted, has_content
from agent_core.sentences import sentence
from agent_core.store.reads.client_messages import ClientMessage, find_client_message
from agent_core.store.turns.branches import ROOT
from agent_core.store.turns.turns import WhenBusy

if TYPE_CHECKING:
    from agent_core.api import AgentApi

_LOOKED_AT = 50  # messages without content that a client may show before its last one
_TRY_AGAIN = (ThreadStatus.FAILED, ThreadStatus.STOPPED)


class Sending:
    """Answer that one request asks for.

    Args:
        api: the API.
        posted: the request.
        when_busy: what becomes of a turn under way.
        ctx: who calls.
    """

    def __init__(self, api: AgentApi, posted: Posted, when_busy: WhenBusy, ctx: CallContext | None) -> None:
        self._api = api
        self._posted = posted
        self._thread_id = posted.thread_id
        self._when_busy: WhenBusy = when_busy
        self._ctx = ctx

    async def send(self) -> str:
        """Begin the turn of the last message, in a new thread if there is none, unless it has begun already.

        Returns:
            the id of the message whose turn is to be streamed.

        Raises:
            ValidationError: the message is not acceptable, or the list is not one of this thread.
            ThreadBusyError: another turn is under way and goes on.
        """
        message, parts = self._posted.last, prompt_parts(self._posted.last["parts"])
        if not await self._exists():
            try:
                return await self._create(message)
            except ValidationError:
                if not await self._exists():  # else the same request, sent twice, was faster
                    raise
        thread = await self._thread()
        place = await self._find(message["id"], parts)
        if place is None:
            return await self._say(message["id"], await self._after())
        _check_role(message["id"], place)
        if self._is_begun(place, thread):
            return place.id
        return await self._edit(message["id"], place, parts)

    async def regenerate(self) -> str:
        """Answer once more, and return the id of the message that is answered.

        Raises:
            ThreadNotFoundError, MessageNotFoundError
            ThreadBusyError: another turn is under way and goes on.
        """
        last, target = self._posted.last, self._posted.message_id
        if last["role"] == "user" and target in (None, last["id"]):
            return await self._answer_again(last)
        await self._thread()
        place = await self._find(target or last["id"], None)
        if place is None or place.role != "assistant":
            raise MessageNotFoundError(f"The thread has no answer {target or last['id']!r:.60}.")
        if place.parent_id is None and last["role"] == "user":  # nothing came of it yet
            return await self._answer_again(last)
        await self._regenerate(place.id, place.parent_id)
        return place.parent_id or ROOT

    async def _answer_again(self, message: dict[str, Any]) -> str:
        """Answer a person's message once more; with other words, or never received, it is sent."""
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
                raise  # else the same request, sent twice, was faster: its turn is under way

    def _is_begun(self, place: ClientMessage, thread: Thread) -> bool:
        """Whether the turn of the message is the thread's newest, and not to be tried again."""
        wants_more = self._posted.message_id == self._posted.last["id"] and thread.status in _TRY_AGAIN
        return place.has_words and place.newest and not wants_more

    async def _edit(self, message_id: str, place: ClientMessage, parts: list[Part]) -> str:
        """Send the message as one more at its place."""
        # Named by its place, so that the same request, sent twice at once, is one message.
        key = f"{self._thread_id}\0{message_id}\0{place.count}\0{parts!r}"
        name = f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        return await self._say(name, place.parent_id or ROOT)

    async def _say(self, name: str, after: str | None) -> str:
        """Send the last message under an id; None: at the end of the thread."""
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
        """Make the thread, with what the client sent before that never arrived."""
        if any(one["role"] == "assistant" and has_content(one) for one in _behind_a_prompt(self._posted)):
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
        """Return the message that the last one follows in the client's list; None: the last of the thread.

        Raises:
            ValidationError: the thread does not know it.
        """
        if len(self._posted.messages) == 1:  # such clients send the last message only, most of them
            return ROOT if self._posted.is_whole else None
        for message in reversed(self._posted.earlier[-_LOOKED_AT:]):
            place = await self._find(message["id"], _words(message))
            if place is not None:
                return place.id
            if message["role"] == "user" or has_content(message):
                return await self._unknown(message["id"])
        return None

    async def _unknown(self, message_id: str) -> None:
        """Refuse a list of other messages; one that stood in a page before the thread began is no matter."""
        if await self._api.list_messages(self._thread_id, limit=1, ctx=self._ctx):
            raise ValidationError(
                f"The thread has no message {message_id!r:.60}, which stands before the last one. "
                f"Load its messages (GET /chat/{{id}}) and send once more."
            )

    async def _find(self, message_id: str, parts: list[Part] | None) -> ClientMessage | None:
        if not storable(message_id):
            return None
        return await asyncio.to_thread(
            self._api.store.reads.read, find_client_message, self._thread_id, message_id, parts
        )

    async def _exists(self) -> bool:
        """Say so without asking who may: whoever owns threads cannot know one that is not there yet."""
        if not storable(self._thread_id):
            return False
        return await asyncio.to_thread(self._api.store.reads.thread, self._thread_id) is not None

    async def _thread(self) -> Thread:
        thread = await self._api.get_thread(self._thread_id, ctx=self._ctx)
        if thread is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=self._thread_id))
        return thread


def _behind_a_prompt(posted: Posted) -> list[dict[str, Any]]:
    """Return what follows the first message of a person; a greeting before it is the page's own."""
    first = next(place for place, one in enumerate(posted.messages) if one["role"] == "user")
    return posted.messages[first:]


def _check_role(message_id: str, place: ClientMessage) -> None:
    if place.role != "user":
        raise ValidationError(f"The message {message_id!r:.60} is of the role {place.role}, not a user's.")


def _words(message: dict[str, Any]) -> list[Part] | None:
    """Return the parts of a person's message as they would be stored; None: any will do."""
    try:
        return prompt_parts(message["parts"]) if message["role"] == "user" else None
    except ValidationError:
        return None
