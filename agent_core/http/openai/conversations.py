"""Serve `/conversations`: a conversation is a thread, and its items are the thread's messages and their tool calls."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent_core.agent import CallContext
from agent_core.domain.messages import Thread
from agent_core.errors import DuplicateMessageError, ValidationError
from agent_core.http.openai.body.content import stored
from agent_core.http.openai.body.messages import Sent, read_input, unknown_call_error
from agent_core.http.openai.body.parameters import check_parameters
from agent_core.http.openai.errors import RequestError
from agent_core.http.openai.input_items import items_of, page_of
from agent_core.http.openai.options import Options
from agent_core.http.openai.turns import ABOUT, Place, digest_of, find_thread, idempotency_key
from agent_core.http.requests import list_of, object_of
from agent_core.support.ids import new_id

_MOST_ITEMS = 20
"""Most items of one request, as at OpenAI."""


class Conversations:
    """Endpoints of conversations."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._api = options.api

    async def create(self, request: Request) -> Response:
        """Create a thread with messages, without a turn; once for each idempotency key."""
        ctx, body = await self._options.read(request)
        check_parameters(body, ("items", "metadata"), ())
        sent = _messages(body.get("items"))
        key, digest = idempotency_key(request), digest_of(body)
        name = digest_of([ctx.user_id if ctx else None, "conv", key])[:32] if key is not None else None
        thread_id = f"thread_{name}" if name else new_id("thread")
        about = {"metadata": object_of(body.get("metadata")), "request": digest}
        messages = [await self._message(one, ctx) for one in sent]
        try:
            await self._api.create_thread(
                messages=messages, thread_id=thread_id, metadata={ABOUT: about}, ctx=ctx
            )
        except ValidationError:
            if name is None or await find_thread(self._api, thread_id, ctx) is None:
                raise  # else the first request with the key has created it
        thread = await self._find(thread_id, ctx)
        if object_of(thread.metadata.get(ABOUT)).get("request") != digest:
            message = "Another request had this Idempotency-Key; use a new key for each request."
            raise RequestError(message, code="idempotency_key_reused")
        return JSONResponse(_conversation(thread))

    async def get(self, request: Request) -> Response:
        """Return a conversation."""
        ctx = await self._options.caller(request)
        return JSONResponse(_conversation(await self._find(request.path_params["conversation_id"], ctx)))

    async def update(self, request: Request) -> Response:
        """Replace the metadata of a conversation."""
        ctx, body = await self._options.read(request)
        check_parameters(body, ("metadata",), ())
        thread = await self._find(request.path_params["conversation_id"], ctx)
        about = object_of(thread.metadata.get(ABOUT)) | {"metadata": object_of(body.get("metadata"))}
        changed = await self._api.update_thread(
            thread.id, metadata={**thread.metadata, ABOUT: about}, ctx=ctx
        )
        return JSONResponse(_conversation(changed))

    async def delete(self, request: Request) -> Response:
        """Delete a thread with its messages, also while it runs."""
        ctx = await self._options.caller(request)
        thread = await self._find(request.path_params["conversation_id"], ctx)
        await self._api.delete_thread(thread.id, ctx=ctx)
        return JSONResponse({"id": thread.id, "object": "conversation.deleted", "deleted": True})

    async def items(self, request: Request) -> Response:
        """Return a page of the items of a conversation."""
        ctx = await self._options.caller(request)
        thread = await self._find(request.path_params["conversation_id"], ctx)
        return JSONResponse(page_of(await self._items(thread, ctx), request.query_params))

    async def item(self, request: Request) -> Response:
        """Return an item of a conversation."""
        ctx = await self._options.caller(request)
        thread = await self._find(request.path_params["conversation_id"], ctx)
        item_id = request.path_params["item_id"]
        for item in await self._items(thread, ctx):
            if item["id"] == item_id:
                return JSONResponse(item)
        raise RequestError(f"There is no item {item_id!r:.60}.", code="item_not_found", status=404)

    async def add(self, request: Request) -> Response:
        """Store messages at the end of a conversation, without a turn; each once for each idempotency key."""
        ctx, body = await self._options.read(request)
        check_parameters(body, ("items",), ())
        sent, key = _messages(body.get("items")), idempotency_key(request)
        if not sent:
            raise RequestError("Send at least one message.", "items", code="invalid_value")
        thread = await self._find(request.path_params["conversation_id"], ctx)
        name = digest_of([thread.id, key, digest_of(body)])[:32] if key is not None else new_id("msg")
        ids = [f"{name}:{place}" for place in range(len(sent))]
        for message_id, one in zip(ids, sent, strict=True):
            with suppress(DuplicateMessageError):  # the request is sent again
                message = await self._message(one, ctx) | {"id": message_id}
                await self._api.add_message(thread.id, message, ctx=ctx)
        known = {message.id: message for message in await self._api.list_messages(thread.id, ctx=ctx)}
        added = [known[message_id] for message_id in ids if message_id in known]
        items = [item for message in added for item in items_of(message, _place(thread))]
        return JSONResponse(page_of(items, {"order": "asc", "limit": "100"}))

    async def _find(self, thread_id: str, ctx: CallContext | None) -> Thread:
        thread = await find_thread(self._api, thread_id, ctx)
        if thread is None:
            message = f"There is no conversation {thread_id!r:.60}."
            raise RequestError(message, code="conversation_not_found", status=404)
        return thread

    async def _items(self, thread: Thread, ctx: CallContext | None) -> list[dict[str, Any]]:
        messages = await self._api.list_messages(thread.id, ctx=ctx)
        return [item for message in messages for item in items_of(message, _place(thread))]

    async def _message(self, sent: Sent, ctx: CallContext | None) -> dict[str, Any]:
        return {"role": sent.role, "parts": await stored(self._api, sent.parts, ctx, sent.where)}


def _messages(items: Any) -> Sequence[Sent]:
    if len(list_of(items)) > _MOST_ITEMS:
        raise RequestError(f"A request has at most {_MOST_ITEMS} items.", "items", code="invalid_value")
    sent = read_input(list_of(items), "items")
    if sent.answers:
        raise unknown_call_error(sent.answers[0].call_id, "items")
    return sent.messages


def _place(thread: Thread) -> Place:
    return Place(thread.id, "", thread.created_at.timestamp(), {"model": thread.agent})


def _conversation(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.id,
        "object": "conversation",
        "created_at": int(thread.created_at.timestamp()),
        "metadata": object_of(object_of(thread.metadata.get(ABOUT)).get("metadata")),
    }
