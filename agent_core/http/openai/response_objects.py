"""Render answers as Response objects, and their items as output items and events.

A tool call of the agent is an `mcp_call`, OpenAI's item for a tool that the server runs; a call of the client's own tools
is a `function_call`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agent_core.domain.turn_options import CLIENT_CALL
from agent_core.http.openai.answers.delivery import tokens
from agent_core.http.openai.answers.items import Item, arguments_of
from agent_core.http.openai.answers.outcome import Outcome
from agent_core.http.openai.answers.telling import Event
from agent_core.http.openai.errors import failure_of
from agent_core.http.openai.turns import Place

_STATUS = {
    "running": "in_progress",
    "completed": "completed",
    "failed": "failed",
    "stopped": "cancelled",
    "waiting": "incomplete",
    "calls": "completed",
    "replaced": "cancelled",
}
_CUT = {
    "length": "max_output_tokens",
    "model-context-window-exceeded": "max_output_tokens",
    "content-filter": "content_filter",
}
WAITING = "awaiting_tool_results"
"""`incomplete_details.reason` of a response that waits for a person; `mcp_call` items say for what."""


def response_object(place: Place, outcome: Outcome | None) -> dict[str, Any]:
    """Return the Response object of a turn; None: it has just begun."""
    status = "in_progress" if outcome is None else _STATUS[outcome.status]
    reason = None if outcome is None else _CUT.get(outcome.answer.cut or "")
    if outcome is not None and outcome.status == "waiting":
        reason = WAITING
    if reason is not None and status == "completed":
        status = "incomplete"
    about = place.about
    return {
        "id": place.answer_id,
        "object": "response",
        "created_at": int(place.created_at),
        "status": status,
        "background": bool(about.get("background")),
        "error": None if outcome is None or outcome.status != "failed" else _error(outcome),
        "incomplete_details": None if reason is None else {"reason": reason},
        "instructions": None,
        "metadata": about.get("metadata") or {},
        "model": about.get("model"),
        "output": [] if outcome is None else _output(place, outcome),
        "parallel_tool_calls": True,
        "previous_response_id": place.id_of(place.part - 1)
        if place.part
        else about.get("previous_response_id"),
        "conversation": {"id": place.thread_id},
        "store": about.get("store") is not False,
        "temperature": None,
        "text": {"format": place.format},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None if outcome is None or not outcome.usage else _usage(outcome),
    }


def _output(place: Place, outcome: Outcome) -> list[dict[str, Any]]:
    form = ResponseForm(place)
    ended = outcome.status != "running"
    return [
        form.output_item(item, number, ended=ended)
        for number, item in enumerate(outcome.answer.items)
        if item.is_known
    ]


def _error(outcome: Outcome) -> dict[str, str]:
    code = failure_of(outcome.error_kind).code
    known = code if code in ("rate_limit_exceeded", "invalid_prompt") else "server_error"
    return {"code": known, "message": outcome.answer.error}


def _usage(outcome: Outcome) -> dict[str, Any]:
    count = tokens(outcome)
    return {
        "input_tokens": count("input_tokens"),
        "input_tokens_details": {
            "cached_tokens": count("cached_tokens"),
            "cache_write_tokens": count("cache_write_tokens"),
        },
        "output_tokens": count("output_tokens"),
        "output_tokens_details": {"reasoning_tokens": count("reasoning_tokens")},
        "total_tokens": count("total_tokens"),
    }


class ResponseForm:
    """Form of the events of a response."""

    def __init__(self, place: Place) -> None:
        self._name = place.answer_id.partition("_")[2]
        self._agent = place.about.get("model")

    def begin(self, item: Item, number: int) -> list[Event]:
        """Return the events with which an item begins."""
        added = {
            "type": "response.output_item.added",
            "output_index": number,
            "item": self._begun(item, number),
        }
        if item.kind == "text":
            part = _text_part("")
            return [added, self._event("content_part.added", item, number, content_index=0, part=part)]
        if item.kind == "reasoning":
            part = {"type": "summary_text", "text": ""}
            more = self._event("reasoning_summary_part.added", item, number, summary_index=0, part=part)
            return [added, more]
        if item.is_client:
            given = arguments_of(item)
            return [
                added,
                self._event("function_call_arguments.delta", item, number, delta=given),
                self._event("function_call_arguments.done", item, number, name=item.name, arguments=given),
            ]
        arguments = json.dumps(item.arguments)
        return [
            added,
            self._event("mcp_call.in_progress", item, number),
            self._event("mcp_call_arguments.delta", item, number, delta=arguments),
            self._event("mcp_call_arguments.done", item, number, arguments=arguments),
        ]

    def delta(self, item: Item, number: int, text: str, *, follows: bool) -> Event:
        """Return the event for more text."""
        if item.kind == "reasoning":
            return self._event("reasoning_summary_text.delta", item, number, summary_index=0, delta=text)
        return self._event("output_text.delta", item, number, content_index=0, delta=text, logprobs=[])

    def end(self, item: Item, number: int) -> list[Event]:
        """Return the events with which an item ends."""
        done = {
            "type": "response.output_item.done",
            "output_index": number,
            "item": self.output_item(item, number, ended=True),
        }
        if item.is_client:
            return [done]
        if item.kind == "call":
            state = "mcp_call.completed" if item.error is None else "mcp_call.failed"
            return [self._event(state, item, number), done] if item.is_done else [done]
        if item.kind == "text":
            at: dict[str, Any] = {"content_index": 0}
            part = _text_part(item.text, item.sources)
            cited = [
                self._event(
                    "output_text.annotation.added", item, number, **at, annotation_index=i, annotation=one
                )
                for i, one in enumerate(part["annotations"])
            ]
            text = self._event("output_text.done", item, number, **at, text=item.text, logprobs=[])
            return [*cited, text, self._event("content_part.done", item, number, **at, part=part), done]
        part = {"type": "summary_text", "text": item.text}
        at = {"summary_index": 0}
        return [
            self._event("reasoning_summary_text.done", item, number, **at, text=item.text),
            self._event("reasoning_summary_part.done", item, number, **at, part=part),
            done,
        ]

    def output_item(self, item: Item, number: int, *, ended: bool) -> dict[str, Any]:
        """Return an item of `output`; `ended`: whether nothing will be added to the answer."""
        open_status = "incomplete" if ended else "in_progress"
        status = "completed" if item.is_done else open_status
        if item.kind == "text":
            content = [_text_part(item.text, item.sources)]
            return self._message(item, number, status, content)
        if item.kind == "reasoning":
            summary = [{"type": "summary_text", "text": item.text}]
            return {"type": "reasoning", "id": self._id(item, number), "summary": summary, "status": status}
        if item.is_client:
            return {**self._call(item), "arguments": arguments_of(item), "status": status}
        output = item.output if isinstance(item.output, str) else json.dumps(item.output)
        return {
            **self._call(item),
            "arguments": json.dumps(item.arguments),
            "status": "failed" if item.error is not None else status,
            "output": output if item.is_done and item.error is None else None,
            "error": item.error,
            "approval_request_id": item.approval,
        }

    def _begun(self, item: Item, number: int) -> dict[str, Any]:
        if item.kind == "text":
            return self._message(item, number, "in_progress", [])
        if item.kind == "reasoning":
            return {
                "type": "reasoning",
                "id": self._id(item, number),
                "summary": [],
                "status": "in_progress",
            }
        return {**self._call(item), "arguments": "", "status": "in_progress"}

    def _message(self, item: Item, number: int, status: str, content: list[Any]) -> dict[str, Any]:
        head = {"type": "message", "id": self._id(item, number), "role": "assistant"}
        return {**head, "status": status, "content": content}

    def _call(self, item: Item) -> dict[str, Any]:
        if item.is_client:
            name = self._id(item, 0)
            return {"type": "function_call", "id": name, "call_id": item.id, "name": item.name}
        return {"type": "mcp_call", "id": item.id, "name": item.name, "server_label": self._agent}

    def _event(self, kind: str, item: Item, number: int, /, **more: Any) -> Event:
        about = {"item_id": self._id(item, number), "output_index": number}
        return {"type": f"response.{kind}", **about, **more}

    def _id(self, item: Item, number: int) -> str:
        if item.kind == "call":
            return f"fc_{item.id.removeprefix(CLIENT_CALL)}" if item.is_client else item.id
        return f"{'msg' if item.kind == 'text' else 'rs'}_{self._name}_{number}"


def _text_part(text: str, sources: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """Return a text with its sources, which providers give for the text as a whole."""
    whole = {"type": "url_citation", "start_index": 0, "end_index": len(text)}
    return {"type": "output_text", "text": text, "annotations": [whole | source for source in sources]}
