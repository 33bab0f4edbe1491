"""Make a history follow the rules of its provider.

The history may be from the same model, another one, or an older version of this library. The result is
deterministic, and messages added at the end do not change earlier ones, for the caches of providers.
Nothing is stored: the thread keeps the original messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any, cast

from agent_core.domain.model_adapter import ProviderMessage
from agent_core.domain.tool_name_match import find_tool, wire_name
from agent_core.llm.requests.gemini_duplicates import split_duplicates
from agent_core.llm.requests.provider_rules import Rules
from agent_core.llm.requests.reasoning_steps import split_by_reasoning
from agent_core.support.plain_json import fields_of, items_of

BEGINNING = "(The conversation begins here.)"
"""Placeholder for a person's message before a history that starts with the model's."""

CONTINUE = "Continue."
"""Placeholder for a person's message after a history that ends with the model's."""

INTERRUPTED = "(The turn ended here.)"
"""Placeholder for the model's message between an outcome and a person's, for providers that require one."""

_FIELDS: dict[str, set[str]] = {
    "assistant": {"role", "content", "tool_calls", "name"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
_OTHERS = {"role", "content", "name"}
_CALL_FIELDS = {"id", "type", "function"}
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def fit_history(
    messages: Sequence[ProviderMessage],
    tools: Collection[str],
    rules: Rules,
    *,
    has_vision: bool | None = None,
) -> list[ProviderMessage]:
    """Return a paired history that follows the rules of a provider; the given messages are not changed.

    Args:
        messages: messages in OpenAI's form, each call followed by its outcome.
        tools: the agent's names of the tools that the request declares.
        rules: the rules of the provider.
        has_vision: whether the model supports pictures; None: unknown.
    """
    fresh = max((n for n, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    kept = rules.media if has_vision is not False else rules.media - {"image"}
    fitted = [
        _pruned(message, rules, None if place == fresh else kept) for place, message in enumerate(messages)
    ]
    fitted = [message for message in _hosted_paired(fitted) if _says_something(message)]
    if rules.needs_tools and not tools:
        fitted = _calls_as_text(fitted)
    fitted = _renamed(fitted, tools, rules)
    if not rules.outcome_media:
        fitted = _pictures_behind(fitted)
    if rules.one_system:
        fitted = _one_system(fitted)
    fitted = _with_person_at_both_ends(fitted)
    fitted = _ordered([_filled(message, rules) for message in fitted], rules)
    fitted = split_by_reasoning(fitted, has_blocks_in_order=rules.signed_turns)
    return split_duplicates(fitted) if rules.distinct_calls else fitted


def fit_names(messages: Sequence[ProviderMessage], tools: Collection[str]) -> list[ProviderMessage]:
    """Return the history with tool names that every provider accepts; see `find_tool` and `wire_name`.

    For adapters without rules of their own: all providers reject a garbled name.
    """
    return [
        {**message, "tool_calls": [_with_plain_name(call, tools) for call in calls]}
        if (calls := message.get("tool_calls"))
        and any(call["function"]["name"] not in tools for call in calls)
        else message
        for message in messages
    ]


def _with_plain_name(call: ProviderMessage, tools: Collection[str]) -> ProviderMessage:
    written = str(call["function"]["name"])
    name = find_tool(written, tools) or wire_name(written)
    return call if name == written else {**call, "function": {**call["function"], "name": name}}


def sent_name(name: str, rules: Rules) -> str:
    """Return the name of a tool in a request: the name itself if the provider accepts it."""
    name = wire_name(name)
    if rules.names.fullmatch(name):
        return name
    marked = f"t_{name}"
    return marked if rules.names.fullmatch(marked) else f"{marked[:48]}_{_digest(name)[:8]}"


def _pruned(message: ProviderMessage, rules: Rules, media: frozenset[str] | None) -> ProviderMessage:
    """Return a copy with the fields and contents that the provider accepts.

    `media` are the kinds of files that stay; None: all, because the person has just sent them.
    """
    role = message.get("role")
    fields = _FIELDS.get(str(role), _OTHERS)
    if role == "assistant":
        fields = fields | rules.returned_fields
        if "reasoning_content" in rules.required_fields and message.get(
            "reasoning"
        ):  # the field's name at a gateway
            message = {"reasoning_content": message["reasoning"], **message}
    pruned = {key: value for key, value in message.items() if key in fields}
    content = message.get("content")
    if isinstance(content, list):
        parts = [_part(part, media) for part in items_of(cast(object, content))]
        parts = [part for part in parts if part.get("type") != "text" or str(part.get("text", "")).strip()]
        pruned["content"] = parts if any(part.get("type") != "text" for part in parts) else _joined(parts)
        if role == "assistant":
            pruned = _with_drawn(pruned, rules)
    return pruned


def _with_drawn(message: ProviderMessage, rules: Rules) -> ProviderMessage:
    """Return a model's message with its pictures if the provider accepts them, else with a note."""
    if not (parts := items_of(message["content"])):
        return message
    drawn = [part for part in parts if part.get("type") in ("image_url", "file")]
    pictures = (
        [part for part in drawn if part["type"] == "image_url"] if "images" in rules.returned_fields else []
    )
    said = [part if part not in drawn else _DRAWN for part in parts if part not in pictures]
    content = said if any(part.get("type") != "text" for part in said) else _joined(said) or None
    return {**message, "content": content} | ({"images": pictures} if pictures else {})


_DRAWN: ProviderMessage = {"type": "text", "text": "[A file that the model answered with was left out.]"}


def _says_something(message: ProviderMessage) -> bool:
    content = message.get("content")
    blank = not content or (isinstance(content, str) and not content.strip())
    more = message.get("tool_calls") or message.get("images")
    return not blank or bool(more) or message.get("role") == "tool"


def _hosted_paired(messages: list[ProviderMessage]) -> list[ProviderMessage]:
    """Return the history without unanswered calls of Anthropic's own tools, and without orphan results.

    A turn that paused, and then failed or was stopped, leaves such a call; in the last message it may still be
    answered.
    """
    every = [block for message in messages for block in _hosted_blocks(message)]
    calls = {block.get("id") for block in every if block["type"] == "server_tool_use"}
    results = {block.get("tool_use_id") for block in every if block["type"] != "server_tool_use"}
    paired: list[ProviderMessage] = []
    for place, message in enumerate(messages):
        if blocks := _hosted_blocks(message):
            open_ = calls if place == len(messages) - 1 else results
            lost = [
                b for b in blocks if b.get("id", b.get("tool_use_id")) not in (open_ if "id" in b else calls)
            ]
            message = {**message, "content": [part for part in message["content"] if part not in lost]}
        paired.append(message)
    return paired


def _hosted_blocks(message: ProviderMessage) -> list[ProviderMessage]:
    if message.get("role") != "assistant":
        return []
    parts: list[ProviderMessage] = items_of(message.get("content"))
    return [part for part in parts if str(part.get("type")).endswith(("server_tool_use", "_tool_result"))]


def _part(part: ProviderMessage, media: frozenset[str] | None) -> ProviderMessage:
    kind = {"image_url": "image", "file": "file"}.get(str(part.get("type")))
    if kind is None or media is None or kind in media:
        return dict(part)
    name = fields_of(part.get("file")).get("filename")
    what = "A picture" if kind == "image" else f"The file {name}" if name else "A file"
    return {"type": "text", "text": f"[{what} was left out: this model cannot read it.]"}


def _joined(parts: list[ProviderMessage]) -> str:
    return "\n\n".join(str(part.get("text", "")) for part in parts)


def _calls_as_text(messages: list[ProviderMessage]) -> list[ProviderMessage]:
    """Return the history with calls as text, for a request that declares no tools."""
    converted: list[ProviderMessage] = []
    for message in messages:
        content = message.get("content")
        if calls := message.get("tool_calls"):
            functions = [call["function"] for call in calls]
            texts = [part for part in _as_parts(content or []) if part.get("type") == "text"]
            words = [_joined(texts)] if texts else []
            words += [f"[Called {each.get('name')}({each.get('arguments')})]" for each in functions]
            rest = {key: value for key, value in message.items() if key not in ("tool_calls", "content")}
            converted.append({**rest, "content": "\n".join(words)})
        elif message.get("role") == "tool":
            converted.append({"role": "user", "content": items_of(content) or f"[Outcome: {content}]"})
        else:
            converted.append(message)
    return converted


def _renamed(messages: list[ProviderMessage], tools: Collection[str], rules: Rules) -> list[ProviderMessage]:
    """Return the history with names and ids of calls that the provider accepts."""
    ids: dict[str, str] = {}
    renamed: list[ProviderMessage] = []
    for message in messages:
        if calls := message.get("tool_calls"):
            called = [_call(call, tools, rules, ids) for call in calls]
            message = {**message, "tool_calls": called}
        elif message.get("role") == "tool":
            message = {**message, "tool_call_id": _id(str(message.get("tool_call_id")), rules, ids)}
            if "name" in message:
                message["name"] = _name(str(message["name"]), tools, rules)
        renamed.append(message)
    return renamed


def _call(
    call: ProviderMessage, tools: Collection[str], rules: Rules, ids: dict[str, str]
) -> ProviderMessage:
    function = dict(fields_of(call.get("function")))
    function["name"] = _name(str(function.get("name") or ""), tools, rules)
    function["arguments"] = _arguments(function.get("arguments"))
    rest = {key: call[key] for key in call if key in _CALL_FIELDS | rules.returned_call_fields}
    return {**rest, "id": _id(str(call.get("id")), rules, ids), "type": "function", "function": function}


def _arguments(written: object) -> str:
    """Return arguments as a JSON object, which every provider requires."""
    try:
        value: Any = json.loads(written) if isinstance(written, str) else written
    except (ValueError, RecursionError):
        return json.dumps({"INVALID_JSON": written}, ensure_ascii=False)
    if isinstance(value, dict):
        return written if isinstance(written, str) else json.dumps(value, ensure_ascii=False)
    return "{}" if value is None else json.dumps({"INVALID_JSON": value}, ensure_ascii=False)


def _name(written: str, tools: Collection[str], rules: Rules) -> str:
    return sent_name(find_tool(written, tools) or written, rules)


def _id(written: str, rules: Rules, ids: dict[str, str]) -> str:
    """Return a valid id for the provider, unique for each id in the history."""
    if written not in ids:
        taken, sent, tries = set(ids.values()), written, 0
        while sent in taken or not rules.ids.fullmatch(sent):
            digest = _digest(f"{written}{tries or ''}")
            sent = (
                f"call_{digest[:24]}" if rules.ids.fullmatch(f"call_{digest[:24]}") else _nine_letters(digest)
            )
            tries += 1
        ids[written] = sent
    return ids[written]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _nine_letters(digest: str) -> str:
    number, letters = int(digest, 16), ""
    while len(letters) < 9:
        number, place = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[place]
    return letters


def _pictures_behind(messages: list[ProviderMessage]) -> list[ProviderMessage]:
    """Return the history with the pictures of outcomes in a separate message after all outcomes."""
    moved: list[ProviderMessage] = []
    waiting: list[ProviderMessage] = []
    for message in [*messages, {"role": ""}]:
        if message.get("role") != "tool" and waiting:
            moved.append({"role": "user", "content": waiting})
            waiting = []
        content = message.get("content")
        if message.get("role") == "tool" and isinstance(content, list):
            parts: list[ProviderMessage] = items_of(cast(object, content))
            seen = [part for part in parts if part.get("type") != "text"]
            words = _joined([part for part in parts if part.get("type") == "text"])
            message = {**message, "content": words or "(see the next message)"}
            waiting += [{"type": "text", "text": f"From the outcome of {message['tool_call_id']}:"}, *seen]
        moved.append(message)
    return moved[:-1]


def _one_system(messages: list[ProviderMessage]) -> list[ProviderMessage]:
    """Return the history with one system message at the start; later ones become a person's messages."""
    start = next((n for n, message in enumerate(messages) if message.get("role") != "system"), len(messages))
    head = [str(message.get("content") or "") for message in messages[:start]]
    body = [
        {"role": "user", "content": f"[System message]\n{message.get('content')}"}
        if message.get("role") == "system"
        else message
        for message in messages[start:]
    ]
    return [{"role": "system", "content": "\n\n".join(head)}, *body] if head else body


def _with_person_at_both_ends(messages: list[ProviderMessage]) -> list[ProviderMessage]:
    """Return the history with a person's message at the start, and not with a model's message at the end."""
    roles = [message.get("role") for message in messages]
    spoken = [place for place, role in enumerate(roles) if role != "system"]
    if not spoken or roles[spoken[0]] != "user":
        start = spoken[0] if spoken else len(messages)
        messages = [*messages[:start], {"role": "user", "content": BEGINNING}, *messages[start:]]
    if spoken and roles[spoken[-1]] == "assistant" and not _is_paused(messages[spoken[-1]]):
        messages = [*messages, {"role": "user", "content": CONTINUE}]
    return messages


def _is_paused(message: ProviderMessage) -> bool:
    """Return whether a model's message must be continued: its provider paused within its own tools."""
    return bool(_hosted_blocks(message))


def _filled(message: ProviderMessage, rules: Rules) -> ProviderMessage:
    """Return another model's message with the fields that the provider requires."""
    content = message.get("content")
    if message.get("role") == "tool":
        return message if content else {**message, "content": rules.blank_outcome}
    if not (calls := message.get("tool_calls")):
        return message
    missing = {key: value for key, value in rules.required_fields.items() if not message.get(key)}
    first = {**rules.required_call_fields, **calls[0]}
    said = content or rules.content_of_calls
    return {**message, **missing, "content": said, "tool_calls": [first, *calls[1:]]}


def _ordered(messages: list[ProviderMessage], rules: Rules) -> list[ProviderMessage]:
    """Return the history with roles in an order that the provider accepts."""
    ordered: list[ProviderMessage] = []
    for before, message in pairwise([{"role": ""}, *messages]):
        if not rules.user_after_outcome and (before.get("role"), message.get("role")) == ("tool", "user"):
            ordered.append({"role": "assistant", "content": INTERRUPTED})
        same = bool(ordered) and ordered[-1].get("role") == message.get("role")
        if rules.alternate and same and message["role"] in _MERGE and "tool_calls" not in ordered[-1]:
            ordered[-1] = _MERGE[message["role"]](ordered[-1], message)
        else:
            ordered.append(message)
    return ordered


def _merged_person(first: ProviderMessage, second: ProviderMessage) -> ProviderMessage:
    return {**first, "content": _merged_content(first.get("content"), second.get("content"))}


def _merged_model(first: ProviderMessage, second: ProviderMessage) -> ProviderMessage:
    joined = {**first, **second}
    joined["content"] = _merged_content(first.get("content"), second.get("content"))
    for key in first.keys() & second.keys() - {"role", "content", "name"}:
        if isinstance(first[key], list) and isinstance(second[key], list):
            joined[key] = [*first[key], *second[key]]
    return joined


_MERGE: dict[str, Callable[[ProviderMessage, ProviderMessage], ProviderMessage]] = {
    "user": _merged_person,
    "assistant": _merged_model,
}


def _merged_content(first: Any, second: Any) -> Any:
    if not first or not second:
        return first or second
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_as_parts(first), *_as_parts(second)]


def _as_parts(content: Any) -> list[ProviderMessage]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
