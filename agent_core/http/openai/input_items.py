"""List the items that a response answers: the messages of its thread up to its prompt, and their tool calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams

from agent_core.agent import CallContext
from agent_core.domain.messages import Message, Part
from agent_core.http.openai.answers.items import Answer, Item
from agent_core.http.openai.answers.outcome import current
from agent_core.http.openai.errors import RequestError
from agent_core.http.openai.paths import MAX_ITEMS
from agent_core.http.openai.response_objects import ResponseForm
from agent_core.http.openai.turns import Place
from agent_core.store.reads.client_messages import path_to
from agent_core.streaming.fold import unfold

if TYPE_CHECKING:
    from agent_core.api import AgentApi

InputItem = dict[str, Any]


async def list_items(
    api: AgentApi, place: Place, query: QueryParams, ctx: CallContext | None
) -> dict[str, Any]:
    """Return one page of the items.

    Raises:
        RequestError: `limit`, `order` or `after` is invalid.
    """
    items = [item for message in await _messages(api, place) for item in items_of(message, place)]
    for part in range(place.part):
        before = replace(place, part=part)
        items += _of_answer((await current(api, before, ctx)).answer, before)
    return page_of(items, query)


def page_of(items: list[InputItem], query: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of items, which are in order.

    Raises:
        RequestError: `limit`, `order` or `after` is invalid.
    """
    limit, is_rising = _limit(query.get("limit")), _is_rising(query.get("order"))
    if not is_rising:
        items.reverse()
    page = items[_start(items, query.get("after")) :]
    shown = page[:limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(page) > limit,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return 20
    if not text.isascii() or not text.isdecimal() or len(text) > 3 or not 1 <= int(text) <= MAX_ITEMS:
        raise RequestError(f"limit is a number from 1 to {MAX_ITEMS}.", "limit", code="invalid_value")
    return int(text)


def _is_rising(text: str | None) -> bool:
    if text not in (None, "asc", "desc"):
        raise RequestError("order is asc or desc.", "order", code="invalid_value")
    return text == "asc"


def _start(items: Sequence[InputItem], after: str | None) -> int:
    if after is None:
        return 0
    for number, item in enumerate(items):
        if item["id"] == after:
            return number + 1
    raise RequestError(f"There is no item {after!r:.60}.", "after", code="invalid_value")


async def _messages(api: AgentApi, place: Place) -> list[Message]:
    """Return the messages up to the prompt of a turn, which may be in a branch that is no longer shown."""
    ids = await api.store.read(path_to, place.thread_id, place.message_id)
    read = api.store.reads
    shown = {one.id: one for one in await asyncio.to_thread(read.messages, place.thread_id)}
    found = [shown.get(each) or await asyncio.to_thread(read.message, place.thread_id, each) for each in ids]
    return [message for message in found if message is not None]


def items_of(message: Message, place: Place) -> list[InputItem]:
    """Return the items of a message of a thread."""
    if message.role == "assistant":
        return _output_items(message, place)
    content = [_content(part) for part in message.parts if part["type"] in ("text", "file")]
    return [
        {
            **{"type": "message", "id": f"msg_{message.id}", "role": message.role},
            **{"status": "completed", "content": content},
        }
    ]


def _content(part: Part) -> dict[str, Any]:
    """Return a part of a message; the API has the bytes of files."""
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]}
    url = part["url"] if part["url"].startswith(("https:", "http:")) else None
    if part["mediaType"].startswith("image/"):
        return {"type": "input_image", "detail": "auto", "file_id": None, "image_url": url}
    return {
        "type": "input_file",
        "file_id": None,
        **({"file_url": url} if url else {}),
        **({"filename": part["filename"]} if "filename" in part else {}),
    }


def _output_items(message: Message, place: Place) -> list[InputItem]:
    answer = Answer()
    for chunk in (*unfold(message.parts), {"type": "finish"}):
        answer.take(chunk)
    return _of_answer(answer, Place(place.thread_id, f"msg_{message.id}", place.created_at, place.about))


def _of_answer(answer: Answer, place: Place) -> list[InputItem]:
    """Return the items of an earlier answer, and the outcomes of the client's calls."""
    form, known = ResponseForm(place), [item for item in answer.items if item.is_known]
    shown = [form.output_item(item, answer.items.index(item), ended=True) for item in known]
    return shown + [_outcome(item) for item in known if item.is_client and item.output is not None]


def _outcome(item: Item) -> InputItem:
    output = item.output if isinstance(item.output, str) else json.dumps(item.output)
    about = {"type": "function_call_output", "id": f"out_{item.id}", "call_id": item.id}
    return {**about, "status": "completed", "output": output}
