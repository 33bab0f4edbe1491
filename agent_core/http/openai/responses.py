"""Serve `/responses`: begin, read, follow, cancel and delete responses. A response is a turn, a conversation a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent_core.agent import CallContext
from agent_core.domain.messages import Message, Thread
from agent_core.domain.turn_options import TurnOptions, is_client_call
from agent_core.errors import AgentCoreError, ToolCallFinishedError, ToolCallNotFoundError, words_of
from agent_core.http.openai.answers.delivery import LateResponse, forget
from agent_core.http.openai.answers.outcome import (
    Outcome,
    current,
    is_alone,
    outcome_of,
    reply_before,
    wait_for,
)
from agent_core.http.openai.answers.sequence import MAX_NUMBER
from agent_core.http.openai.answers.sequence import Sequence as Numbers
from agent_core.http.openai.answers.telling import Event, Telling, tell
from agent_core.http.openai.body.asks import check_names, kept, response_options
from agent_core.http.openai.body.messages import Sent, SentMessages, ToolAnswer, read_input
from agent_core.http.openai.body.parameters import RESPONSES_IGNORED, RESPONSES_USED, check_parameters
from agent_core.http.openai.client_calls import answer_calls
from agent_core.http.openai.errors import RequestError
from agent_core.http.openai.input_items import list_items
from agent_core.http.openai.options import Options
from agent_core.http.openai.response_objects import ResponseForm, response_object
from agent_core.http.openai.turns import (
    ABOUT,
    Asked,
    Place,
    begin,
    digest_of,
    find_place,
    find_thread,
    idempotency_key,
)
from agent_core.http.requests import is_object, object_of
from agent_core.http.sse import EventStream, framed
from agent_core.support.shielding import shielded

_RECENT = 20  # messages among which is the newest prompt
_ENDS = {"completed": "response.completed", "failed": "response.failed"}
_ONE_USER = "A request that continues a thread has one user message, or answers to tool calls."
_SHARED = "A response that continues a thread is kept with it, and so is one that runs in the background."


class Responses:
    """Endpoints of responses."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._api = options.api

    async def post(self, request: Request) -> Response:
        """Begin a response, or answer the tool calls that one waits for."""
        ctx, body = await self._options.read(request)
        check_parameters(body, RESPONSES_USED, RESPONSES_IGNORED)
        sent = read_input(body.get("input"))
        options = await asyncio.to_thread(response_options, body)
        previous = await self._previous(body, ctx)
        if answers := sent.answers or sent.answers_at_end():
            if sent.answers and sent.messages:
                raise RequestError(_ONE_USER, "input", code="invalid_value")
            place = await self._answer(answers, options, previous, ctx)
        else:
            place = await self._begin(request, body, sent, options, previous, ctx)
        if body.get("stream"):
            return self._stream(place, ctx, None)
        if body.get("background"):
            return JSONResponse(response_object(place, await current(self._api, place, ctx)))
        return LateResponse(request, lambda: self._complete(place, ctx))

    async def get(self, request: Request) -> Response:
        """Return a response as it is now, or stream it from its beginning or after an event."""
        ctx = await self._options.caller(request)
        place = await self._find(request.path_params["response_id"], ctx)
        if request.query_params.get("stream", "").lower() in ("true", "1"):
            return self._stream(place, ctx, _number(request.query_params.get("starting_after")))
        return JSONResponse(response_object(place, await current(self._api, place, ctx)))

    async def input_items(self, request: Request) -> Response:
        """Return a page of the items that a response answers."""
        ctx = await self._options.caller(request)
        place = await self._find(request.path_params["response_id"], ctx)
        return JSONResponse(await list_items(self._api, place, request.query_params, ctx))

    async def cancel(self, request: Request) -> Response:
        """Stop the turn of a response, unless it has ended."""
        ctx = await self._options.caller(request)
        place = await self._find(request.path_params["response_id"], ctx)
        outcome = await current(self._api, place, ctx)
        if not outcome.is_over:
            await self._api.stop_thread(place.thread_id, ctx=ctx)
            outcome = await current(self._api, place, ctx)
        return JSONResponse(response_object(place, outcome))

    async def delete(self, request: Request) -> Response:
        """Delete the thread of a response that is its only one.

        Raises:
            RequestError: the thread has other turns.
        """
        ctx = await self._options.caller(request)
        place = await self._find(request.path_params["response_id"], ctx)
        outcome = await current(self._api, place, ctx)
        if not await is_alone(self._api, place, outcome, ctx):
            message = f"The thread {place.thread_id} has other messages; delete the thread instead."
            raise RequestError(
                message, code="response_has_others", status=409, headers={"x-should-retry": "false"}
            )
        await self._api.delete_thread(place.thread_id, ctx=ctx)
        return JSONResponse({"id": place.message_id, "object": "response", "deleted": True})

    async def _find(self, response_id: str, ctx: CallContext | None, param: str | None = None) -> Place:
        place = await find_place(self._api, response_id, ctx)
        if place is None:
            message = f"There is no response {response_id!r:.60}."
            raise RequestError(message, param, code="response_not_found", status=404)
        return place

    async def _previous(self, body: dict[str, Any], ctx: CallContext | None) -> Place | None:
        response_id = body.get("previous_response_id")
        if response_id is None:
            return None
        if body.get("conversation") is not None:
            message = "Send previous_response_id or conversation, not both."
            raise RequestError(message, "conversation", code="invalid_value")
        return await self._find(response_id, ctx, "previous_response_id")

    # --- begin ---

    async def _begin(
        self,
        request: Request,
        body: dict[str, Any],
        sent: SentMessages,
        options: TurnOptions,
        previous: Place | None,
        ctx: CallContext | None,
    ) -> Place:
        thread = await self._thread(body, previous, ctx)
        recent = (
            await self._api.list_messages(thread.id, limit=_RECENT, ctx=ctx) if thread is not None else []
        )
        if recent and len(sent.messages) != 1:
            raise RequestError(_ONE_USER, "input", code="invalid_value")
        if body.get("store") is False and (thread is not None or body.get("background")):
            raise RequestError(_SHARED, "store", code="unsupported_value")
        if not sent.messages or sent.messages[-1].role != "user":
            raise RequestError("The last message of input must be the user's.", "input", code="invalid_value")
        model = self._options.models.checked(body.get("model"))
        name = model or (thread.agent if thread else self._api.agent.name)
        check_names(self._api, name, options)
        asked = Asked(
            "resp",
            idempotency_key(request),
            body,
            _instructed(sent.messages, body.get("instructions"), begins=not recent),
            model,
            thread,
            await reply_before(self._api, previous, ctx) if previous is not None else None,
            {
                "model": name,
                "previous_response_id": body.get("previous_response_id"),
                "instructions": _instructions(body.get("instructions"), recent, previous),
                **{key: body.get(key) for key in ("store", "background", "metadata")},
                **kept(options),
            },
            options,
        )
        return await begin(self._api, asked, ctx)

    async def _thread(
        self, body: dict[str, Any], previous: Place | None, ctx: CallContext | None
    ) -> Thread | None:
        given = body.get("conversation")
        if is_object(given):
            given = object_of(given).get("id")
            if not isinstance(given, str):
                form = 'conversation is an id, or {"id": an id}.'
                raise RequestError(form, "conversation", code="invalid_type")
        thread_id = previous.thread_id if previous is not None else given
        if thread_id is None:
            return None
        thread = await find_thread(self._api, thread_id, ctx)
        if thread is None:
            message = f"There is no conversation {thread_id!r:.60}."
            raise RequestError(message, "conversation", code="conversation_not_found", status=404)
        return thread

    async def _answer(
        self,
        answers: Sequence[ToolAnswer],
        options: TurnOptions,
        previous: Place | None,
        ctx: CallContext | None,
    ) -> Place:
        """Answer tool calls of a response: after the client's own another one follows, else it continues itself."""
        agents = [one for one in answers if not is_client_call(one.call_id)]
        if agents:
            previous = await self._answer_agents(agents, previous, ctx)
        own = [one for one in answers if is_client_call(one.call_id)]
        if not own:
            assert previous is not None, "it has the calls of the agent"
            return previous
        return await answer_calls(self._api, own, options, ctx, "input")

    async def _answer_agents(
        self, answers: Sequence[ToolAnswer], previous: Place | None, ctx: CallContext | None
    ) -> Place:
        """Answer calls of the agent's tools, for which a response waits; return that."""
        if previous is None:
            message = "Answers to tool calls need previous_response_id, the response that waits for them."
            raise RequestError(message, "previous_response_id", code="missing_required_parameter")
        try:
            for one in answers:
                with suppress(ToolCallFinishedError):  # the first answer stays
                    await self._report(previous.thread_id, one, ctx)
        except ToolCallNotFoundError as error:
            raise RequestError(words_of(error), "input", code="tool_call_not_found") from None
        return previous

    async def _report(self, thread_id: str, one: ToolAnswer, ctx: CallContext | None) -> None:
        if one.output is not None:
            await self._api.add_tool_result(one.call_id, one.output, thread_id=thread_id, ctx=ctx)
        elif one.approved:
            await self._api.approve_tool_calls(thread_id, [one.call_id], ctx=ctx)
        else:
            await self._api.deny_tool_calls(thread_id, [one.call_id], one.reason, ctx=ctx)

    # --- deliver ---

    async def _complete(self, place: Place, ctx: CallContext | None) -> Response:
        outcome = await wait_for(self._api, place, ctx)
        body = response_object(place, outcome)
        await forget(self._api, place, outcome, ctx)
        return JSONResponse(body)

    def _stream(self, place: Place, ctx: CallContext | None, after: int | None) -> Response:
        return EventStream(self._frames(place, ctx, after), self._options.heartbeat)

    async def _frames(self, place: Place, ctx: CallContext | None, after: int | None) -> AsyncGenerator[str]:
        """Yield the events of the response after a number, framed."""
        sequence = Numbers(after)
        telling = Telling(ResponseForm(place), sequence, is_json=place.is_json)
        try:
            for event in _opening(place):
                for one in telling.pass_on(event):
                    yield _framed(one)
            async for event in tell(self._api, place, telling, ctx):
                yield _framed(event)
            outcome = await outcome_of(self._api, place, telling.answer)
            last = [_framed(one) for one in telling.pass_on(_closing(place, outcome))]
            sequence.check_end()
        except AgentCoreError as error:
            code = getattr(error, "error_code", None) or "answer_restarted"
            about = {"code": code, "message": words_of(error), "param": None}
            yield _framed({"type": "error", **about, "sequence_number": sequence.mark.number})
            return
        try:
            for frame in last:
                yield frame
        finally:  # a client that has read the last one closes the connection
            await shielded(forget(self._api, place, outcome, ctx))


def _opening(place: Place) -> list[Event]:
    begun = response_object(place, None)
    return [{"type": f"response.{name}", "response": begun} for name in ("created", "in_progress")]


def _closing(place: Place, outcome: Outcome) -> Event:
    body = response_object(place, outcome)
    return {"type": _ENDS.get(body["status"], "response.incomplete"), "response": body}


def _framed(event: Event) -> str:
    return framed(event, event=event["type"])


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 16 or int(text) > MAX_NUMBER:
        message = "starting_after is the sequence_number of an event."
        raise RequestError(message, "starting_after", code="invalid_value")
    return int(text)


def _instructed(messages: list[Sent], instructions: str | None, *, begins: bool) -> list[Sent]:
    if not instructions or not begins:
        return messages
    return [Sent("system", [{"type": "text", "text": instructions}], "instructions"), *messages]


def _instructions(given: str | None, recent: Sequence[Message], previous: Place | None) -> str | None:
    """Return the digest of the instructions with which a thread began; `recent` are its newest messages.

    Raises:
        RequestError: the thread began with others.
    """
    known = [object_of(message.metadata.get(ABOUT)) for message in recent if message.role == "user"]
    newest = next(filter(None, reversed(known)), None)
    about = previous.about if previous is not None else newest or {}
    before = about.get("instructions")
    digest = digest_of(given) if given else None
    if recent and digest not in (None, before):
        message = "instructions begin a thread, and this one has begun with others; leave them out."
        raise RequestError(message, "instructions", code="unsupported_value")
    return before if recent else digest
