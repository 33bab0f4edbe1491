"""Keep signatures and reasoning of a step, and send them back to the model that wrote them.

Providers refuse a step with tool calls that comes back without the reasoning that led to it: Anthropic's
signed `thinking`, DeepSeek's `reasoning_content`, OpenRouter's `reasoning_details`, Gemini's
`thought_signature`. It is stored with the parts it came with, as the AI SDK's `providerMetadata`, with the
name of the model, and sent back to that model alone. Readers of a thread never see it.

    {"type": "reasoning", "text": "Hm.", "state": "done",
     "providerMetadata": {"anthropic": {"signature": "…"}, "agent_core": {"model": "anthropic/claude-…"}}}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from agent_core.domain.messages import TOOL_PREFIX, Part, is_tool_part
from agent_core.domain.reasoning_details import add_detail

METADATA = "providerMetadata"
"""Key of the metadata in parts and chunks, as in the AI SDK."""

_WRITER = "agent_core"
"""Key in the metadata under which the name of the model is."""

_SIGNED = "signed"
"""Key of a message in the provider form that holds the signed parts of its step until they are sent."""

_BEFORE = "signed_before"
"""Key of a call in the provider form that holds the signed reasoning between it and an earlier call of its step."""

Json = dict[str, Any]


def signed_by(model: str, metadata: Mapping[str, Any]) -> Json:
    """Return metadata with the name of the model that wrote it."""
    return {**metadata, _WRITER: {"model": model}}


def without_metadata(parts: Sequence[Part]) -> list[Part]:
    """Return parts, or chunks, without metadata, for people and other programs."""
    return [
        {key: value for key, value in part.items() if key != METADATA} if METADATA in part else part
        for part in parts
    ]


def apart_from_calls(step: Iterable[Part]) -> tuple[list[Part], dict[str, Json]]:
    """Return a step without the reasoning between its calls, and fields with that reasoning for the call behind it.

    Anthropic expects its blocks in their order.
    """
    rest: list[Part] = []
    between: list[Part] = []
    fields: dict[str, Json] = {}
    called = False
    for part in step:
        if called and part.get("type") == "reasoning" and _of(part.get(METADATA) or {}, "anthropic"):
            between.append(part)
            continue
        rest.append(part)
        if is_tool_part(part) and not part.get("providerExecuted"):
            if between:
                fields[str(part.get("toolCallId"))] = {_BEFORE: _shown(between)}
            between, called = [], True
    return rest + between, fields


def signed_parts(step: Iterable[Part]) -> Json:
    """Return the signed text, reasoning and hosted calls of a step, for its message in the provider form.

    Unsigned text is kept only if signed reasoning or a hosted call follows it: signatures cover the
    order, too.
    """
    said = [
        part for part in step if part.get("type") in ("text", "reasoning") or part.get("providerExecuted")
    ]
    signed = [place for place, part in enumerate(said) if part.get(METADATA)]
    again = bool(signed) and any(part["type"] == "text" and part.get("text") for part in said[: signed[-1]])
    again = again or any(said[place].get("providerExecuted") for place in signed)
    kept = [part for part in said if part.get(METADATA) or (again and part["type"] == "text")]
    return {_SIGNED: _shown(kept)} if kept else {}


def _shown(parts: Iterable[Part]) -> list[Part]:
    return [
        {"type": part["type"], "text": part.get("text") or "", METADATA: part.get(METADATA) or {}}
        for part in parts
    ]


def has_hosted(message: Mapping[str, Any]) -> bool:
    """Return whether a message in the provider form has hosted calls that its provider expects back."""
    return any(
        part["type"].startswith(TOOL_PREFIX) for part in cast("list[Part]", message.get(_SIGNED) or [])
    )


def signed_call(part: Part) -> Json:
    """Return the signature of a call, for the call in the provider form."""
    return {_SIGNED: part[METADATA]} if part.get(METADATA) else {}


def is_signed(messages: Iterable[Json]) -> bool:
    """Return whether any of the messages has a signature; `with_signatures` changes no other ones."""
    return any(map(_is_signed, messages))


def with_signatures(messages: Sequence[Json], model: str) -> list[Json]:
    """Return messages whose steps have the signatures and reasoning that `model` wrote, in litellm's form.

    Signatures of other models are removed. Metadata of unknown providers stays under
    `provider_metadata`, for custom adapters.
    """
    sent = [_returned(message, model) if _is_signed(message) else message for message in messages]
    return [
        one for one in sent if one.get("role") != "assistant" or one.get("content") or one.get("tool_calls")
    ]


def _is_signed(message: Json) -> bool:
    calls: list[Json] = message.get("tool_calls") or []
    return _SIGNED in message or any(_SIGNED in call or _BEFORE in call for call in calls)


def _returned(message: Json, model: str) -> Json:
    fields: Json = {}
    order: list[Json] = []
    for part in cast("list[Part]", message.get(_SIGNED) or []):
        if _own(part[METADATA], model):
            order += _blocks(part)
            _add_part(fields, part)
        if part["type"] == "text":
            order.append({"type": "text", "text": part["text"]})
    sent = {key: value for key, value in message.items() if key != _SIGNED}
    thoughts = [block for block in order if block["type"] in _THOUGHTS]
    if len(thoughts) < len(order) and any(block["type"] != "text" for block in order):
        sent["content"] = [block for block in order if block.get("text", "-").strip()]
    elif thoughts:
        fields["thinking_blocks"] = thoughts
    if calls := cast("list[Json]", message.get("tool_calls") or []):
        sent["tool_calls"] = [_call(call, model, fields) for call in calls]
    return sent | {key: value for key, value in fields.items() if value}


def _own(metadata: Mapping[str, Any], model: str) -> bool:
    writer = metadata.get(_WRITER)
    return isinstance(writer, Mapping) and cast(Json, writer).get("model") == model


_THOUGHTS = ("thinking", "redacted_thinking")


def _blocks(part: Part) -> list[Json]:
    """Return the Anthropic blocks of one signed part, in their order."""
    anthropic = _of(part[METADATA], "anthropic")
    blocks: list[Json] = []
    if signature := anthropic.get("signature"):
        blocks.append({"type": "thinking", "thinking": part["text"], "signature": signature})
    if data := anthropic.get("redactedData"):
        blocks.append({"type": "redacted_thinking", "data": data})
    return blocks + [anthropic[key] for key in ("call", "result") if key in anthropic]


def _add_part(fields: Json, part: Part) -> None:
    """Add the metadata of one signed part to the fields of its message."""
    metadata, text = part[METADATA], part["text"]
    google = _of(metadata, "google")
    if field := _of(metadata, "openaiCompatible").get("reasoningField"):
        fields[field] = fields.get(field, "") + text
    if extra := _of(metadata, "openaiCompatible").get("extraContent"):
        fields["extra_content"] = extra
    if phase := _of(metadata, "openai").get("phase"):
        fields["phase"] = phase
    _add_details(fields, metadata)
    if (signature := google.get("thoughtSignature")) and part["type"] == "text":
        fields.setdefault("provider_specific_fields", {})["thought_signatures"] = [signature]
    if ran := google.get("invocation"):
        ours: Json = fields.setdefault("provider_specific_fields", {})
        ours.setdefault("server_side_tool_invocations", []).append(ran)
    fields.setdefault("reasoning_items", []).extend(_of(metadata, "openai").get("reasoningItems") or [])
    _add_unknown(fields, metadata)


def _call(call: Json, model: str, fields: Json) -> Json:
    """Return a call with its signature; its reasoning details are added to the message's fields."""
    metadata: Mapping[str, Any] = call.get(_SIGNED) or {}
    sent = {key: value for key, value in call.items() if key not in (_SIGNED, _BEFORE)}
    before = [part for part in cast("list[Part]", call.get(_BEFORE) or []) if _own(part[METADATA], model)]
    if blocks := [block for part in before for block in _blocks(part)]:
        sent["thinking_blocks"] = blocks
    if not _own(metadata, model):
        return sent
    if extra := _of(metadata, "openaiCompatible").get("extraContent"):
        sent["extra_content"] = extra
    if signature := _of(metadata, "google").get("thoughtSignature"):
        sent["provider_specific_fields"] = {"thought_signature": signature}
    if items := _of(metadata, "openai").get("reasoningItems"):
        sent["reasoning_items"] = items
    _add_details(fields, metadata)
    _add_unknown(sent, metadata)
    return sent


def _add_details(fields: Json, metadata: Mapping[str, Any]) -> None:
    """Add reasoning details, of which a signature may have come later than its text."""
    for detail in _of(metadata, "openrouter").get("reasoning_details") or ():
        add_detail(fields.setdefault("reasoning_details", []), detail)


_KNOWN = frozenset({"anthropic", "google", "openai", "openaiCompatible", "openrouter", _WRITER})


def _add_unknown(fields: Json, metadata: Mapping[str, Any]) -> None:
    unknown = {provider: value for provider, value in metadata.items() if provider not in _KNOWN}
    if unknown:
        fields["provider_metadata"] = {**fields.get("provider_metadata", {}), **unknown}


def _of(metadata: Mapping[str, Any], provider: str) -> Json:
    found = metadata.get(provider)
    return cast(Json, found) if isinstance(found, dict) else {}


# Signatures in exported and imported threads


def exported(metadata: Json) -> Json:
    """Return a part's metadata for an export, without the mark of an import."""
    return metadata | {_WRITER: {"model": _writer(metadata)}}


def imported(metadata: Mapping[str, Any]) -> Json | None:
    """Return metadata of an exported thread, marked as imported, without anything that no provider signs.

    The metadata comes from outside and is put into requests, so its fields are checked: a forged item could
    instruct the model. Only the provider can tell whether a signature is genuine; see
    `without_imported`. Metadata of unknown providers, for custom adapters, is kept unchanged.

    Args:
        metadata: plain JSON.

    Returns:
        None: the metadata does not name its model, or nothing is left.
    """
    model = _writer(metadata)
    kept = {name: _sound(name, value) for name, value in metadata.items() if name != _WRITER}
    kept = {name: value for name, value in kept.items() if value}
    return {**kept, _WRITER: {"model": model, _IMPORTED: True}} if model and kept else None


def without_imported(messages: Sequence[Json], model: str) -> list[Json]:
    """Return messages in the provider form without the imported signatures of a model."""
    return [_unsigned(message, model) if _is_signed(message) else message for message in messages]


def parts_without_imported(parts: Sequence[Part], model: str) -> list[Part]:
    """Return the parts of a stored message without the imported signatures of a model."""
    return [
        {key: value for key, value in part.items() if key != METADATA}
        if METADATA in part and _is_imported(part[METADATA], model)
        else part
        for part in parts
    ]


_IMPORTED = "imported"
"""Key under `_WRITER` that marks metadata of an imported thread, whose origin is not verified."""


def _writer(metadata: Mapping[str, Any]) -> str:
    model = _of(metadata, _WRITER).get("model")
    return model if isinstance(model, str) else ""


def _is_imported(metadata: Mapping[str, Any], model: str) -> bool:
    return _own(metadata, model) and _of(metadata, _WRITER).get(_IMPORTED) is True


def _unsigned(message: Json, model: str) -> Json:
    nothing: Json = {}
    said = [
        part | {METADATA: nothing} if _is_imported(part[METADATA], model) else part
        for part in cast("list[Part]", message.get(_SIGNED) or [])
    ]
    rest = {key: value for key, value in message.items() if key not in (_SIGNED, "tool_calls")}
    if any(part[METADATA] for part in said):
        rest[_SIGNED] = said
    if calls := cast("list[Json]", message.get("tool_calls") or []):
        rest["tool_calls"] = [_unsigned_call(call, model) for call in calls]
    return rest


def _unsigned_call(call: Json, model: str) -> Json:
    before = [
        part
        for part in cast("list[Part]", call.get(_BEFORE) or [])
        if not _is_imported(part[METADATA], model)
    ]
    dropped = {_SIGNED} if _is_imported(call.get(_SIGNED) or {}, model) else set[str]()
    kept = {key: value for key, value in call.items() if key not in dropped | {_BEFORE}}
    return kept | ({_BEFORE: before} if before else {})


def _sound(provider: str, given: Any) -> Any:
    """Return the valid fields of one provider's metadata."""
    if provider not in _SOUND:
        return given
    fields = cast(Json, given) if isinstance(given, dict) else {}
    return {key: fields[key] for key, fits in _SOUND[provider].items() if key in fields and fits(fields[key])}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_object, cast("list[Any]", value)))


def _are_reasoning(value: Any) -> bool:
    return _are_objects(value) and all(
        item.get("type") == "reasoning"
        and _are_objects(item.get("summary", []))
        and all(map(_is_text, (item.get("id", ""), item.get("encrypted_content", ""))))
        for item in value
    )


def _is_hosted_call(value: Any) -> bool:
    return (
        _is_object(value)
        and value.get("type") == "server_tool_use"
        and all(map(_is_text, (value.get("id"), value.get("name"))))
        and _is_object(value.get("input"))
    )


def _is_hosted_result(value: Any) -> bool:
    return (
        _is_object(value)
        and str(value.get("type")).endswith("_tool_result")
        and _is_text(value.get("tool_use_id"))
    )


REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "thought", "thoughts")
"""Fields in which OpenAI-compatible servers send reasoning, and expect it back: DeepSeek, Moonshot, xAI;
OpenRouter, Groq, Cerebras, vLLM; Copilot; and smaller ones."""

PHASES = ("commentary", "final_answer")
"""Phases of a text of OpenAI's, which are sent back."""

_SOUND: dict[str, dict[str, Callable[[Any], bool]]] = {
    "anthropic": {
        "signature": _is_text,
        "redactedData": _is_text,
        "call": _is_hosted_call,
        "result": _is_hosted_result,
    },
    "google": {"thoughtSignature": _is_text, "invocation": _is_object},
    "openai": {"reasoningItems": _are_reasoning, "phase": lambda value: value in PHASES},
    "openaiCompatible": {
        "reasoningField": lambda value: value in REASONING_FIELDS,
        "extraContent": _is_object,
    },
    "openrouter": {"reasoning_details": _are_objects},
}
"""Fields of each provider's metadata, and a check of each field."""
