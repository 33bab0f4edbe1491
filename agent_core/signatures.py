"""Keep what a step carries for the model that wrote it: signatures, and reasoning that must come back.

Providers refuse a step with tool calls that comes back without the reasoning that led to it: Anthropic's
signed `thinking`, DeepSeek's `reasoning_content`, OpenRouter's `reasoning_details`, Gemini's
`thought_signature`. It is stored with the parts it came with, as the AI SDK's `providerMetadata`, with the
name of the model, and sent back to that model alone. Nobody who reads a thread sees any of it.

    {"type": "reasoning", "text": "Hm.", "state": "done",
     "providerMetadata": {"anthropic": {"signature": "…"}, "agent_core": {"model": "anthropic/claude-…"}}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from agent_core.messages import Part

METADATA = "providerMetadata"
"""The key of parts and chunks; the AI SDK's name for it."""

WRITER = "agent_core"
"""The key in the metadata that names the model."""

SIGNED = "signed"
"""The key of a message in the provider form under which its step's signed parts wait to be sent."""

HOSTED = "hosted_calls"
"""The key of a message in the provider form that has the calls which its provider ran, with their results."""

Json = dict[str, Any]


def signed_by(model: str, metadata: Mapping[str, Any]) -> Json:
    """Return metadata with the name of the model that it is from."""
    return {**metadata, WRITER: {"model": model}}


def readable(parts: Sequence[Part]) -> list[Part]:
    """Return parts, or chunks, as people and other programs may read them: without metadata."""
    return [
        {key: value for key, value in part.items() if key != METADATA} if METADATA in part else part
        for part in parts
    ]


def signed_parts(step: Iterable[Part]) -> Json:
    """Return what a step's message in the provider form keeps of its signed text and reasoning, and of hosted calls.

    Text that is not signed is kept only where a model thought again after it: the order is signed, too.
    """
    parts = list(step)
    said = [part for part in parts if part.get("type") in ("text", "reasoning")]
    signed = [place for place, part in enumerate(said) if part.get(METADATA)]
    again = bool(signed) and any(part["type"] == "text" and part.get("text") for part in said[: signed[-1]])
    kept = [part for part in said if part.get(METADATA) or (again and part["type"] == "text")]
    kept += [part for part in parts if part.get("providerExecuted") and part.get(METADATA)]
    shown: list[Part] = [
        {"type": part["type"], "text": part.get("text") or "", METADATA: part.get(METADATA) or {}}
        for part in kept
    ]
    return {SIGNED: shown} if shown else {}


def signed_call(part: Part) -> Json:
    """Return what a call in the provider form keeps of its signature."""
    return {SIGNED: part[METADATA]} if part.get(METADATA) else {}


def returned(messages: Sequence[Json], model: str) -> list[Json]:
    """Return messages in which each step of `model` has what it must see again, as litellm takes it.

    What another model wrote loses its signatures. Metadata of providers that are not known here stays
    under `provider_metadata`, for adapters that are written by hand.
    """
    return [_returned(message, model) if _is_signed(message) else message for message in messages]


def _is_signed(message: Json) -> bool:
    calls: list[Json] = message.get("tool_calls") or []
    return SIGNED in message or any(SIGNED in call for call in calls)


def _returned(message: Json, model: str) -> Json:
    fields: Json = {}
    order: list[Json] = []
    for part in cast("list[Part]", message.get(SIGNED) or []):
        if _own(part[METADATA], model):
            _add_part(fields, part)
        if part["type"] == "text":
            order.append({"type": "text", "text": part["text"]})
        else:
            order += fields.get("thinking_blocks", [])[sum(one["type"] != "text" for one in order) :]
    sent = {key: value for key, value in message.items() if key != SIGNED}
    if "thinking_blocks" in fields and any(one["type"] == "text" and one["text"] for one in order):
        del fields["thinking_blocks"]
        sent["content"] = [one for one in order if one.get("text", "-").strip()]
    if calls := cast("list[Json]", message.get("tool_calls") or []):
        sent["tool_calls"] = [_call(call, model, fields) for call in calls]
    return sent | fields


def _own(metadata: Mapping[str, Any], model: str) -> bool:
    writer = metadata.get(WRITER)
    return isinstance(writer, Mapping) and cast(Json, writer).get("model") == model


def _add_part(fields: Json, part: Part) -> None:
    """Add what one signed part brings to the fields of its message."""
    metadata, text = part[METADATA], part["text"]
    anthropic, google = _of(metadata, "anthropic"), _of(metadata, "google")
    if signature := anthropic.get("signature"):
        block = {"type": "thinking", "thinking": text, "signature": signature}
        fields.setdefault("thinking_blocks", []).append(block)
    if data := anthropic.get("redactedData"):
        fields.setdefault("thinking_blocks", []).append({"type": "redacted_thinking", "data": data})
    if hosted := anthropic.get("hosted"):
        fields.setdefault(HOSTED, []).append(hosted)
    if field := _of(metadata, "openaiCompatible").get("reasoningField"):
        fields[field] = fields.get(field, "") + text
    if details := _of(metadata, "openrouter").get("reasoning_details"):
        fields.setdefault("reasoning_details", []).extend(details)
    if (signature := google.get("thoughtSignature")) and part["type"] == "text":
        fields["provider_specific_fields"] = {"thought_signatures": [signature]}
    _add_unknown(fields, metadata)


def _call(call: Json, model: str, fields: Json) -> Json:
    """Return a call with its own signature; details that came beside it go to its message."""
    metadata: Mapping[str, Any] = call.get(SIGNED) or {}
    sent = {key: value for key, value in call.items() if key != SIGNED}
    if not _own(metadata, model):
        return sent
    if extra := _of(metadata, "openaiCompatible").get("extraContent"):
        sent["extra_content"] = extra
    if signature := _of(metadata, "google").get("thoughtSignature"):
        sent["provider_specific_fields"] = {"thought_signature": signature}
    if details := _of(metadata, "openrouter").get("reasoning_details"):
        fields.setdefault("reasoning_details", []).extend(details)
    _add_unknown(sent, metadata)
    return sent


_KNOWN = frozenset({"anthropic", "google", "openaiCompatible", "openrouter", WRITER})


def _add_unknown(fields: Json, metadata: Mapping[str, Any]) -> None:
    unknown = {provider: value for provider, value in metadata.items() if provider not in _KNOWN}
    if unknown:
        fields["provider_metadata"] = {**fields.get("provider_metadata", {}), **unknown}


def _of(metadata: Mapping[str, Any], provider: str) -> Json:
    found = metadata.get(provider)
    return cast(Json, found) if isinstance(found, dict) else {}
