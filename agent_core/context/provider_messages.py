"""Convert messages to the provider form, and repair histories that providers would refuse.

The provider form is OpenAI's chat format, which litellm translates for the others: `role`,
`content`, `tool_calls`, `tool_call_id`. Providers refuse a history in which a tool
call and its outcome are not adjacent, at every retry, so `repair` runs before every request.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, cast

from agent_core.domain.messages import Message, Part, attachment_id, is_tool_part, text_of, tool_name
from agent_core.domain.model_adapter import ProviderMessage
from agent_core.domain.signatures import apart_from_calls, has_hosted, signed_call, signed_parts

NO_OUTCOME = "Error: this call has no recorded outcome; it may or may not have taken effect."
"""Outcome that the model gets for a dangling call."""

INVALID_ARGUMENTS = "INVALID_JSON"
"""Key under which arguments that are not a JSON object are sent back to the model: providers only accept
objects. The name is pydantic-ai's (`INVALID_JSON_KEY`)."""

NOTE = "data-context"
"""Type of the part of an assistant's message that says what was omitted from its request; context policies
write the part, and read it at the next step."""

_NOTE_ROLE = "context"
_as_json = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` would build an encoder at each call


def to_provider(messages: Sequence[Message], system: str | None) -> list[ProviderMessage]:
    """Return the messages in the provider form, strictly paired.

    An assistant message becomes, for each of its steps, one assistant message and the outcomes of
    its tool calls. Sources and data are not sent, and reasoning only if its model expects it back; see
    `agent_core.domain.signatures`. A `NOTE` stays at the start of its step, in a form that `take_note` removes.

    Args:
        messages: messages in order.
        system: the agent's system prompt, which comes first.
    """
    history: list[ProviderMessage] = [{"role": "system", "content": system}] if system else []
    for message in messages:
        if message.role == "assistant":
            for step in _steps(message.parts):
                history += _from_step(step)
        elif content := _content(message.parts):
            history.append({"role": message.role, "content": content})
    return repair(history)


def take_note(messages: list[ProviderMessage]) -> tuple[list[ProviderMessage], Any]:
    """Return the messages without notes, and the data of the newest note; None if there is none."""
    notes = [message for message in messages if message.get("role") == _NOTE_ROLE]
    if not notes:
        return messages, None
    return [message for message in messages if message.get("role") != _NOTE_ROLE], notes[-1]["data"]


def repair(messages: Sequence[ProviderMessage]) -> list[ProviderMessage]:
    """Return the history with every call followed by exactly one outcome, and no other outcomes.

    A dangling call gets the outcome `NO_OUTCOME`; an outcome without a call, or a second one, is
    dropped; an outcome further down moves up to its call; a repeated call id is replaced, also in
    its outcome; an assistant message without text and calls is dropped.
    The repair is deterministic and idempotent.
    """
    repaired: list[list[ProviderMessage]] = []
    waiting: defaultdict[str, deque[ProviderMessage]] = defaultdict(deque)  # places for outcomes, by call id
    taken: set[str] = set()
    for message in messages:
        role = message.get("role")
        if role == "tool":
            places = waiting[str(message.get("tool_call_id"))]
            if places:
                place = places.popleft()
                place.update({**message, "tool_call_id": place["tool_call_id"]})
        elif role == "assistant":
            repaired.append(_with_places(message, waiting, taken))
        else:
            repaired.append([message])
    return [message for group in repaired for message in group]


def _with_places(
    message: ProviderMessage, waiting: defaultdict[str, deque[ProviderMessage]], taken: set[str]
) -> list[ProviderMessage]:
    """Return an assistant message and, for each of its calls, a place for the outcome."""
    places: list[ProviderMessage] = []
    calls: list[ProviderMessage] = []
    given: list[ProviderMessage] = [call for call in message.get("tool_calls") or () if _names_a_tool(call)]
    for call_id in {str(call.get("id")) for call in given}:
        waiting[call_id] = deque()  # later outcomes belong to this message, not to an older one
    for call in given:
        fresh = _fresh_id(str(call.get("id") or "call"), taken)
        place = {"role": "tool", "tool_call_id": fresh, "content": NO_OUTCOME}
        waiting[str(call.get("id"))].append(place)
        places.append(place)
        calls.append(call if call.get("id") == fresh else {**call, "id": fresh})
    rest = {key: value for key, value in message.items() if key != "tool_calls"}
    blank = _is_blank(rest.get("content"))
    if calls:
        content = None if blank else rest["content"]  # providers refuse an empty text beside calls
        return [{**rest, "content": content, "tool_calls": calls}, *places]
    return [] if blank and not has_hosted(rest) else [rest]


def _names_a_tool(call: ProviderMessage) -> bool:
    function: dict[str, Any] = call.get("function") or {}
    return bool(function.get("name"))


def _fresh_id(wanted: str, taken: set[str]) -> str:
    fresh, number = wanted, 1
    while fresh in taken:
        number += 1
        fresh = f"{wanted}-{number}"
    taken.add(fresh)
    return fresh


def _is_blank(content: object) -> bool:
    return not content or (isinstance(content, str) and not content.strip())


def _steps(parts: Iterable[Part]) -> Iterable[list[Part]]:
    """Split a message at each step-start; steps without parts are left out."""
    step: list[Part] = []
    for part in parts:
        if part.get("type") != "step-start":
            step.append(part)
        elif step:
            yield step
            step = []
    if step:
        yield step


def _from_step(step: list[Part]) -> list[ProviderMessage]:
    calls = [part for part in step if is_tool_part(part) and not part.get("providerExecuted")]
    drawn = any(part.get("type") == "file" for part in step)
    content = _content(step) if drawn else text_of(step) or None
    rest, before = apart_from_calls(step)
    message: ProviderMessage = {"role": "assistant", "content": content, **signed_parts(rest)}
    if calls:
        message["tool_calls"] = [_call(part) | before.get(str(part.get("toolCallId")), {}) for part in calls]
    outcomes = [outcome for part in calls if (outcome := _outcome(part))]
    notes = [{"role": _NOTE_ROLE, "data": part.get("data")} for part in step if part.get("type") == NOTE]
    return [*notes, message, *outcomes]


def _call(part: Part) -> ProviderMessage:
    arguments: Any = part.get("input", part.get("rawInput")) or {}
    if not isinstance(arguments, dict):
        arguments = {INVALID_ARGUMENTS: arguments}
    function = {"name": tool_name(part), "arguments": _as_json(arguments)}
    call = {"id": str(part.get("toolCallId")), "type": "function", "function": function}
    return call | signed_call(part)


def _outcome(part: Part) -> ProviderMessage | None:
    state = part.get("state")
    if state == "output-available":
        content = _output(part.get("output"))
    elif state == "output-error":
        content = f"Error: {str(part.get('errorText') or '').removeprefix('Error: ') or 'the tool failed.'}"
    elif state == "output-denied":
        approval: dict[str, Any] = part.get("approval") or {}
        reason = approval.get("reason")
        content = f"Error: a person denied this call{f': {reason}' if reason else '.'}"
    else:
        return None
    return {"role": "tool", "tool_call_id": str(part.get("toolCallId")), "content": content}


def _output(output: Any) -> str | list[ProviderMessage]:
    """Return a result as text; one with pictures as a list: the text, then each picture by its address."""
    pictures: list[ProviderMessage] = []
    shown = _without_pictures(output, pictures)
    text = shown if isinstance(shown, str) else _as_json(shown)
    return [{"type": "text", "text": text}, *pictures] if pictures else text


def _without_pictures(value: Any, pictures: list[ProviderMessage]) -> Any:
    """Return a result without the addresses of stored pictures, and add these to `pictures`."""
    if isinstance(value, list):
        return [_without_pictures(item, pictures) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if isinstance(fields.get("content"), list):
        return {**fields, "content": _without_pictures(fields["content"], pictures)}
    url = fields.get("url")
    if fields.get("type") != "image" or not isinstance(url, str) or attachment_id(url) is None:
        return fields
    pictures.append({"type": "image_url", "image_url": {"url": url}})
    return {key: item for key, item in fields.items() if key != "url"}


def _content(parts: Sequence[Part]) -> str | list[ProviderMessage]:
    """Return a person's message as text, or with files as a list of content parts."""
    if not any(part.get("type") == "file" for part in parts):
        return text_of(parts)
    known = {"text": "text", "file": "url"}  # required key of each type
    texts_and_files = (part for part in parts if known.get(str(part.get("type")), "-") in part)
    return [
        _file(part) if part["type"] == "file" else {"type": "text", "text": part["text"]}
        for part in texts_and_files
    ]


def _file(part: Part) -> ProviderMessage:
    """Return a file as a content part in litellm's form."""
    url, media_type = part["url"], part.get("mediaType", "")
    if media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    place = "file_data" if url.startswith("data:") else "file_id"
    name = {"filename": part["filename"]} if part.get("filename") else {}
    return {"type": "file", "file": {place: url, "format": media_type, **name}}
