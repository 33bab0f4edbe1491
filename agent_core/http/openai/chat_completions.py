"""Serve `POST /chat/completions`.

Tool calls of the agent run on the server. A client would run what it finds in `tool_calls`, so only calls of its own
tools are there; the agent's are shown in a field that clients ignore, `server_tool_calls`, and reasoning in
`reasoning_content`, which many clients show.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent_core.agent import CallContext
from agent_core.domain.messages import Thread
from agent_core.errors import AgentCoreError, words_of
from agent_core.http.openai.answers.delivery import LateResponse, forget, tokens
from agent_core.http.openai.answers.items import Answer, Item, arguments_of
from agent_core.http.openai.answers.outcome import Outcome, outcome_of, wait_for
from agent_core.http.openai.answers.sequence import Sequence as Numbers
from agent_core.http.openai.answers.telling import Event, Telling, tell
from agent_core.http.openai.body.asks import chat_options, check_names, kept
from agent_core.http.openai.body.messages import SentMessages, read_messages
from agent_core.http.openai.body.parameters import CHAT_IGNORED, CHAT_USED, check_parameters, flag
from agent_core.http.openai.client_calls import answer_calls
from agent_core.http.openai.errors import NO_RETRY, RequestError, error_body, failure_of
from agent_core.http.openai.options import Options
from agent_core.http.openai.paths import THREAD_HEADER
from agent_core.http.openai.turns import Asked, Place, begin, find_thread, idempotency_key
from agent_core.http.requests import object_of
from agent_core.http.sse import EventStream, framed
from agent_core.support.shielding import shielded

_FINISH_REASONS = {
    "length": "length",
    "model-context-window-exceeded": "length",
    "content-filter": "content_filter",
}
_NO_CHOICE: dict[str, Any] = {"choices": list[Any]()}
_UNFINISHED = {
    "stopped": "The answer was stopped before its end.",
    "replaced": "The message was edited or deleted, and its answer is no longer shown.",
}


class ChatCompletions:
    """Endpoint of chat completions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._api = options.api

    async def post(self, request: Request) -> Response:
        """Begin a turn, and answer once it is complete or as a stream."""
        ctx, body = await self._options.read(request)
        check_parameters(body, CHAT_USED, CHAT_IGNORED)
        with_usage = flag(body.get("stream_options"), "include_usage")
        sent = read_messages(body.get("messages"))
        options = await asyncio.to_thread(chat_options, body)
        metadata = object_of(body.get("metadata"))
        given = metadata.get("thread_id") or request.headers.get(THREAD_HEADER)
        thread = None if given is None else await self._thread(given, ctx)
        if thread is not None and body.get("store") is False:
            message = "An answer that continues a thread is kept with it."
            raise RequestError(message, "store", code="unsupported_value")
        model = self._options.models.checked(body.get("model"))
        name = model or (thread.agent if thread else self._api.agent.name)
        check_names(self._api, name, options)
        about = {"model": name, "store": body.get("store"), "metadata": metadata}
        key = idempotency_key(request)
        if answers := sent.answers_at_end():
            place = await answer_calls(self._api, answers, options, ctx, "messages")
        else:
            messages = _checked(sent).messages
            given = (messages if thread is None else messages[-1:]), model, thread
            asked = Asked("chatcmpl", key, body, *given, about=about | kept(options), options=options)
            place = await begin(self._api, asked, ctx)
        is_sendable = place.thread_id.isascii() and place.thread_id.isprintable()
        headers = {THREAD_HEADER.lower(): place.thread_id} if is_sendable else {}
        if body.get("stream"):
            frames = self._frames(place, ctx, with_usage=with_usage)
            return EventStream(frames, self._options.heartbeat, headers)
        return LateResponse(request, lambda: self._complete(place, ctx, headers))

    async def _thread(self, thread_id: str, ctx: CallContext | None) -> Thread:
        thread = await find_thread(self._api, thread_id, ctx)
        if thread is None:
            message = f"There is no thread {thread_id!r:.60}."
            raise RequestError(message, "metadata.thread_id", code="thread_not_found", status=404)
        return thread

    async def _complete(self, place: Place, ctx: CallContext | None, headers: dict[str, str]) -> Response:
        """Wait for the end of the turn and return its answer."""
        outcome = await wait_for(self._api, place, ctx)
        if (failure := _failure(outcome)) is not None:
            status, body = failure
            return JSONResponse(body, status, headers | NO_RETRY)
        text = outcome.answer.text or (None if outcome.status == "calls" else "")
        message = {"role": "assistant", "content": text, "refusal": None}
        body = _head(place, "chat.completion") | {
            "choices": [
                {
                    "index": 0,
                    "message": message | _extras(outcome.answer),
                    "logprobs": None,
                    "finish_reason": _finish_reason(outcome),
                }
            ],
            "usage": _usage(outcome),
            "metadata": place.about.get("metadata"),
        }
        await forget(self._api, place, outcome, ctx)
        return JSONResponse(body, headers=headers)

    async def _frames(
        self, place: Place, ctx: CallContext | None, *, with_usage: bool
    ) -> AsyncGenerator[str]:
        """Yield the chunks of the answer, framed."""
        head = _head(place, "chat.completion.chunk") | ({"usage": None} if with_usage else {})
        telling = Telling(ChatForm(), Numbers(), is_json=place.is_json)
        try:
            yield framed(head | _choice({"role": "assistant", "content": ""}))
            async for event in tell(self._api, place, telling, ctx):
                yield framed(head | _choice(_delta(event)))
            outcome = await outcome_of(self._api, place, telling.answer)
        except AgentCoreError as error:
            code = getattr(error, "error_code", None) or "answer_restarted"
            yield framed(error_body(words_of(error), "server_error", code=code))
            return
        if (failure := _failure(outcome)) is not None:
            yield framed(failure[1])
            return
        yield framed(head | _choice({}, _finish_reason(outcome)))
        if with_usage:
            yield framed(head | _NO_CHOICE | {"usage": _usage(outcome)})
        try:
            yield "data: [DONE]\n\n"
        finally:  # a client that has read this closes the connection
            await shielded(forget(self._api, place, outcome, ctx))


def _checked(sent: SentMessages) -> SentMessages:
    if not sent.messages or sent.messages[-1].role != "user":
        message = (
            "The last of the messages must be the user's, or the outcomes of tool_calls of the answer before."
        )
        raise RequestError(message, "messages", code="invalid_value")
    return sent


class ChatForm:
    """Form of the events of chat completions; `_delta` makes the deltas of chunks from them.

    Give each entry of a list an `index`: OpenAI's Python client joins deltas with the same one.
    """

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def begin(self, item: Item, number: int) -> list[Event]:
        """Return the tool call that begins; texts have no event."""
        if item.is_client:
            return [self._listed("tool_calls", [client_call(item)])]
        return [self._listed("server_tool_calls", [_call(item, begins=True)])] if item.kind == "call" else []

    def delta(self, item: Item, number: int, text: str, *, follows: bool) -> Event:
        """Return more text; texts are separated as in `Message.text`."""
        kind = "content" if item.kind == "text" else "reasoning"
        return {"type": kind, "delta": f"\n\n{text}" if follows else text}

    def end(self, item: Item, number: int) -> list[Event]:
        """Return the tool call with its outcome, or the sources of a text."""
        if item.kind == "call":
            return [] if item.is_client else [self._listed("server_tool_calls", [_call(item)])]
        return [self._listed("annotations", _annotations([item]))] if item.sources else []

    def _listed(self, name: str, entries: list[dict[str, Any]]) -> Event:
        """Return the event for more entries of a list."""
        first = self._counts[name]
        self._counts[name] += len(entries)
        return {
            "type": name,
            "entries": [{"index": first + place, **one} for place, one in enumerate(entries)],
        }


def client_call(item: Item) -> dict[str, Any]:
    """Return a call of a tool of the client."""
    function = {"name": item.name, "arguments": arguments_of(item)}
    return {"id": item.id, "type": "function", "function": function}


def _call(item: Item, *, begins: bool = False) -> dict[str, Any]:
    """Return a tool call; `begins`: without its outcome."""
    fields = {"id": item.id, "name": item.name, "arguments": json.dumps(item.arguments)}
    if begins or not item.is_done:
        return fields | {"status": "in_progress" if item.approval is None else "awaiting_approval"}
    if item.error is None:
        return fields | {"status": "completed", "output": item.output}
    return fields | {"status": "failed", "error": item.error}


def _delta(event: Event) -> dict[str, Any]:
    if event["type"] == "content":
        return {"content": event["delta"]}
    if event["type"] == "reasoning":
        return {"reasoning_content": event["delta"]}
    return {event["type"]: event["entries"]}


def _annotations(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return the sources of texts; they are given for a text as a whole, so there are no places in it."""
    return [
        {"type": "url_citation", "url_citation": source | {"start_index": 0, "end_index": 0}}
        for item in items
        for source in item.sources
    ]


def _extras(answer: Answer) -> dict[str, Any]:
    thoughts = "\n\n".join(item.text for item in answer.items if item.kind == "reasoning" and item.text)
    calls = [item for item in answer.items if item.kind == "call" and item.is_known]
    found = {
        "tool_calls": [client_call(item) for item in calls if item.is_client],
        "reasoning_content": thoughts,
        "server_tool_calls": [_call(item) for item in calls if not item.is_client],
        "annotations": _annotations(answer.items),
    }
    return {name: value for name, value in found.items() if value}


def _head(place: Place, kind: str) -> dict[str, Any]:
    return {
        "id": place.answer_id,
        "object": kind,
        "created": int(place.created_at),
        "model": place.about.get("model"),
        "thread_id": place.thread_id,
    }


def _choice(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]}


def _finish_reason(outcome: Outcome) -> str:
    if outcome.status == "calls":
        return "tool_calls"
    return _FINISH_REASONS.get(outcome.answer.cut or "", "stop")


def _failure(outcome: Outcome) -> tuple[int, dict[str, Any]] | None:
    """Return the status and the body of the error for a turn that has no whole answer; None: it has one."""
    if outcome.status == "failed":
        failure = failure_of(outcome.error_kind)
        return failure.status, error_body(outcome.answer.error, failure.type, code=failure.code)
    if outcome.status in _UNFINISHED:
        message = _UNFINISHED[outcome.status]
        return 409, error_body(message, "invalid_request_error", code=f"answer_{outcome.status}")
    return None


def _usage(outcome: Outcome) -> dict[str, Any]:
    count = tokens(outcome)
    return {
        "prompt_tokens": count("input_tokens"),
        "completion_tokens": count("output_tokens"),
        "total_tokens": count("total_tokens"),
        "prompt_tokens_details": {"cached_tokens": count("cached_tokens")},
        "completion_tokens_details": {"reasoning_tokens": count("reasoning_tokens")},
    }
