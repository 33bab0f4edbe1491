"""OpenAI's Responses API: items by index, and reasoning items that come back before the items they led to.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from tests.providers.dialects.dialect import (
    Dialect,
    arguments_of,
    asserted,
    event,
    misfits,
    pieces,
    writer_of,
)
from tests.providers.dialects.script import Item, Json, Reply, Thought, Use, thoughts_of
from tests.support.providers.pairing import check_items

COUNTED = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 400},
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 30},
    "total_tokens": 1100,
}
_CONTENTS = {"assistant": ("output_text", "refusal"), "user": ("input_text", "input_image", "input_file")}


class Responses(Dialect):
    """OpenAI's `/responses` without stored conversations."""

    model: ClassVar[str] = "openai/responses/gpt-5"

    def stream(self, items: Reply) -> list[bytes]:
        head = self._response(items, "in_progress") | {"output": [], "usage": None}
        events: list[Json] = [
            {"type": "response.created", "response": head},
            {"type": "response.in_progress", "response": head},
        ]
        for place, item in enumerate(items):
            events += _streamed(place, item)
        events.append({"type": "response.completed", "response": self.whole(items)})
        return [event(each | {"sequence_number": number}, each["type"]) for number, each in enumerate(events)]

    def whole(self, items: Reply) -> Json:
        return self._response(items, "completed")

    def _response(self, items: Reply, status: str) -> Json:
        output = [output_item(place, item) for place, item in enumerate(items)]
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": "gpt-5",
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": COUNTED,
        }

    def check(self, request: Json, said: Sequence[Reply]) -> list[str]:
        items = _items(request["input"])
        tools = [tool["name"] for tool in request.get("tools") or [] if tool["type"] == "function"]
        found = [f"Invalid 'tools[0].name': {name!r}" for name in misfits(self.names, tools)]
        found += asserted(check_items, items)
        for place, item in enumerate(items):
            found += [f"Invalid value: {kind!r}" for kind in _wrong_contents(item)]
            if item["type"] == "reasoning":
                found += _check_reasoning(place, items, said)
        found += [
            f"The function call {call_id} was provided without the reasoning item that led to it."
            for call_id in _unreasoned(items, said)
        ]
        return found


def output_item(place: int, item: Item) -> Json:
    """Return an item in the form of `output`."""
    if isinstance(item, Thought):
        head = {"id": f"rs_{item.signature[:12]}", "type": "reasoning"}
        summary = [] if item.hidden else [{"type": "summary_text", "text": item.text}]
        return head | {"summary": summary, "encrypted_content": item.signature}
    if isinstance(item, Use):
        head = {"id": f"fc_{item.id}", "type": "function_call", "status": "completed"}
        return head | {"call_id": item.id, "name": item.name, "arguments": arguments_of(item)}
    text = {"type": "output_text", "text": item, "annotations": [], "logprobs": []}
    head = {"id": f"msg_{place}", "type": "message", "role": "assistant", "status": "completed"}
    return head | {"content": [text]}


def _streamed(place: int, item: Item) -> Iterator[Json]:
    whole = output_item(place, item)
    about = {"item_id": whole["id"], "output_index": place}
    opened: Json = dict(whole)
    if isinstance(item, Thought):
        opened |= {"summary": [], "encrypted_content": ""}
        deltas = [] if item.hidden else pieces(item.text)
        yield {"type": "response.output_item.added", "output_index": place, "item": opened}
        part = about | {"summary_index": 0}
        if deltas:
            empty = {"type": "summary_text", "text": ""}
            yield {"type": "response.reasoning_summary_part.added", **part, "part": empty}
            for piece in deltas:
                yield {"type": "response.reasoning_summary_text.delta", **part, "delta": piece}
            yield {"type": "response.reasoning_summary_text.done", **part, "text": item.text}
            yield {"type": "response.reasoning_summary_part.done", **part, "part": whole["summary"][0]}
    elif isinstance(item, Use):
        opened |= {"arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": place, "item": opened}
        for piece in pieces(arguments_of(item)):
            yield {"type": "response.function_call_arguments.delta", **about, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **about, "arguments": arguments_of(item)}
    elif isinstance(item, str):
        opened |= {"content": [], "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": place, "item": opened}
        part = about | {"content_index": 0}
        empty = whole["content"][0] | {"text": ""}
        yield {"type": "response.content_part.added", **part, "part": empty}
        for piece in pieces(item):
            yield {"type": "response.output_text.delta", **part, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **part, "text": item, "logprobs": []}
        yield {"type": "response.content_part.done", **part, "part": whole["content"][0]}
    yield {"type": "response.output_item.done", "output_index": place, "item": whole}


def _items(given: str | list[Json]) -> list[Json]:
    listed = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return [{"type": "message", **item} for item in listed]


def _wrong_contents(item: Json) -> list[str]:
    content = item.get("content")
    if item["type"] != "message" or not isinstance(content, list):
        return []
    allowed = _CONTENTS["assistant" if item["role"] == "assistant" else "user"]
    return [part["type"] for part in content if part["type"] not in allowed]


def _check_reasoning(place: int, items: list[Json], said: Sequence[Reply]) -> Iterator[str]:
    item = items[place]
    known = {one["id"]: one for reply in said for one in map(output_item, range(9), reply)}
    own = known.get(item.get("id", ""))
    if own is None:
        yield f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
    elif item.get("encrypted_content") != own["encrypted_content"]:
        yield f"The encrypted content for item {item['id']} could not be verified."
    elif item["summary"] != own["summary"]:
        yield f"The summary of item {item['id']} was changed."
    follows = items[place + 1] if place + 1 < len(items) else {"type": "nothing", "role": ""}
    if follows["type"] not in ("reasoning", "function_call") and follows.get("role") != "assistant":
        yield f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."


def _unreasoned(items: list[Json], said: Sequence[Reply]) -> Iterator[str]:
    sent = [item.get("id") for item in items if item["type"] == "reasoning"]
    for item in items:
        if item["type"] == "function_call" and (writer := writer_of([(item["call_id"], None)], said)):
            wanted = [output_item(0, thought)["id"] for thought in thoughts_of(writer)]
            if any(id not in sent for id in wanted):
                yield item["call_id"]
