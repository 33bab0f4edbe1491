"""Name spans and their attributes by OpenTelemetry's conventions for generative AI, version 1.41.

https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/gen-ai, of which nothing is stable yet.
Attributes that begin with "agent_core." are this library's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, cast

from agent_core.domain.events.run_events import (
    OutcomeReceived,
    StepContent,
    StepEnded,
    ToolContent,
    ToolEnded,
    TurnStart,
)
from agent_core.domain.messages import Part
from agent_core.domain.model_adapter import Usage
from agent_core.domain.validation import clean_text
from agent_core.llm.model_names import models_by_name, providers_by_name
from agent_core.text.redaction import HIDDEN, hide_secrets, secret_values

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"
CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]
Attributes = dict[str, str | bool | int | float | Sequence[str]]

_MAX_TEXT = 20_000  # characters of one text of a content
_NAMES = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "cohere_chat": "cohere",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""The conventions' names of providers that litellm names differently."""


def captures_content(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for prompts, answers, arguments and results on spans."""
    return environment.get(CAPTURE_VARIABLE, "").strip().lower() in ("true", "span_only", "span_and_event")


def span_name(turn: TurnStart, work: str | None, size: int) -> int:
    """Return an id of `size` bytes that every process derives alike; `work` is None for the trace's."""
    text = json.dumps([turn.thread_id, turn.message_id, *([] if work is None else [work])])
    return int.from_bytes(blake2b(text.encode(errors="replace"), digest_size=size).digest(), "big") or 1


def provider_and_model(name: str) -> tuple[str, str]:
    """Return the conventions' name of the provider of a model, and the model's name there."""
    provider, slash, model = name.partition("/")
    if not slash or provider not in providers_by_name():
        provider = str(models_by_name().get(name, {}).get("litellm_provider") or provider)
        model = name
    return _NAMES.get(provider, provider), model


def model_attributes(model: str) -> Attributes:
    """Return the attributes of a model."""
    provider, name = provider_and_model(model)
    return {"gen_ai.provider.name": provider, "gen_ai.request.model": name}


def answer_attributes(step: StepEnded) -> Attributes:
    """Return the attributes of a model's answer: its id, the model that served it, finish reason and tokens."""
    known = [cast("dict[str, Any]", each) for each in step.metadata.values() if isinstance(each, dict)]
    about = known[0] if known else {}
    found: Attributes = {}
    for attribute, key in (("gen_ai.response.id", "id"), ("gen_ai.response.model", "model")):
        if isinstance(value := about.get(key), str):
            found[attribute] = value
    if step.finish_reason is not None:
        found["gen_ai.response.finish_reasons"] = [step.finish_reason]
    return found | usage_attributes(step.usage)


def usage_attributes(usage: Usage | None) -> Attributes:
    """Return the attributes of what a request has used, as far as that is known."""
    if usage is None:
        return {}
    cost: Attributes = {} if usage.cost is None else {"agent_core.cost_usd": usage.cost}
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        **cost,
    }


def tool_attributes(call: ToolEnded | OutcomeReceived) -> Attributes:
    """Return the attributes of a tool call."""
    return {
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.call.id": call.tool_call_id,
        "gen_ai.tool.type": "function",
    }


def step_content(content: StepContent, finish_reason: str | None) -> Attributes:
    """Return what a model was sent and has answered, without secrets and without the bytes of files."""
    system = [_sent(each) for each in content.messages if each.get("role") == "system"]
    messages = [_sent(each) for each in content.messages if each.get("role") != "system"]
    answer = {
        "role": "assistant",
        "parts": [_answered(part) for part in content.parts if part.get("type") != "step-start"],
        "finish_reason": finish_reason or "unknown",
    }
    found: Attributes = {
        "gen_ai.input.messages": _json(messages),
        "gen_ai.output.messages": _json([answer]),
    }
    if system:
        found["gen_ai.system_instructions"] = _json([part for each in system for part in each["parts"]])
    return found


def tool_content(content: ToolContent) -> Attributes:
    """Return the arguments and the result of a tool call, without secrets."""
    found: Attributes = {"gen_ai.tool.call.arguments": _json(content.arguments)}
    if content.result is not None:
        found["gen_ai.tool.call.result"] = _json(_loaded(content.result))
    return found


def plain(words: str | None) -> str | None:
    """Return an error message without secrets, as in the log."""
    return None if words is None else clean_text(hide_secrets(words[:_MAX_TEXT]))


def _sent(message: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a message in OpenAI's form to that of `gen_ai.input.messages`."""
    content: Any = message.get("content")
    if message.get("role") == "tool":
        answer = {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content}
        return {"role": "tool", "parts": [answer]}
    pieces: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    parts = [_piece(piece) for piece in pieces]
    for call in message.get("tool_calls") or ():
        function: Mapping[str, Any] = call.get("function") or {}
        arguments = _loaded(function.get("arguments"))
        parts.append(
            {"type": "tool_call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments}
        )
    return {"role": str(message.get("role")), "parts": parts}


def _piece(piece: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(piece.get("type"))
    return {"type": kind, "content": piece.get("text")} if kind == "text" else {"type": kind}


def _answered(part: Part) -> dict[str, Any]:
    """Convert a part of an answer to the form of `gen_ai.output.messages`."""
    kind = str(part.get("type"))
    if kind in ("text", "reasoning"):
        return {"type": kind, "content": part.get("text")}
    if "toolCallId" in part:
        name = part.get("toolName") or kind.removeprefix("tool-")
        return {
            **{"type": "tool_call", "id": part["toolCallId"], "name": name},
            "arguments": part.get("input"),
        }
    return {"type": kind}


def _loaded(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return text


def _json(value: object) -> str:
    return json.dumps(_without_secrets(value), ensure_ascii=False, default=str)


def _without_secrets(value: object) -> object:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(key): _hidden(str(key), item) for key, item in items}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in cast("Iterable[object]", value)]
    return value


def _hidden(key: str, value: object) -> object:
    return HIDDEN if isinstance(value, str) and secret_values({key: value}) else _without_secrets(value)
