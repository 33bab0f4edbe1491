"""List the rules of the providers: names, ids, roles and contents that a request may have.

Each entry of the table comes from requests that the provider's API rejects, with these messages:

- Anthropic: `tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`, "text content blocks must be
  non-empty", "This model does not support assistant message prefill", "Property keys should match pattern
  '^[a-zA-Z0-9_.-]{1,64}$'".
- OpenAI: `function.name … '^[a-zA-Z0-9_-]+$'`, "tool_calls[0].id: string too long. Expected … maximum length
  40", "Image URLs are only allowed for messages with role 'user'".
- Gemini: "Invalid function name. Must start with a letter or an underscore", "Please ensure that single turn
  requests end with a user role", "Function call is missing a thought_signature".
- Mistral: "Tool call id was … but must be a-z, A-Z, 0-9, with a length of 9", "Unexpected role 'user' after
  role 'tool'", "Expected last role User or Tool".
- DeepSeek: "does not support successive user or assistant messages", "The reasoning_content in the thinking
  mode must be passed back to the API".
- Moonshot: "function name is invalid, must start with a letter", "reasoning_content is missing in assistant
  tool call message".
- xAI: "Each message must have at least one content element".
- Groq and Cerebras: "property 'reasoning_content' is unsupported".
- Gemini and Groq, with tools: "Function calling with a response mime type: 'application/json' is unsupported", "json
  mode cannot be combined with tool/function calling".
- DeepSeek: "This response_format type is unavailable now".
- vLLM, llama.cpp and others that run a model's chat template: "Conversation roles must alternate",
  "System message must be at the beginning".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent_core.domain.signatures import REASONING_FIELDS

_ANY_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LETTER_FIRST = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_SHORT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NINE_LETTERS = re.compile(r"[A-Za-z0-9]{9}")
_ANY_ID = re.compile(r".+", re.S)

PICTURES = frozenset({"image"})
_PICTURES_AND_FILES = frozenset({"image", "file"})


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of one provider; every known provider accepts the defaults.

    Attributes:
        names: pattern of tool names.
        ids: pattern of tool call ids.
        one_system: whether only one system message is allowed, at the start.
        alternate: whether the roles of person and model must alternate.
        user_after_outcome: whether a person's message may follow an outcome.
        content_of_calls: content of an assistant message that only has calls.
        blank_outcome: replacement for an empty outcome.
        media: kinds of files allowed in a person's message: image, file (PDF).
        outcome_media: whether pictures are allowed in outcomes; else they follow as a person's message.
        needs_tools: whether a history with calls requires a request that declares tools.
        arguments: pattern of the names of a tool's arguments.
        inlines_references: whether `$ref`s in the schemas of tools are replaced by their targets before sending.
        distinct_calls: whether a step may not call a tool twice with the same arguments.
        returned_fields: fields of an assistant message that the provider wrote and accepts back.
        returned_call_fields: the same for a tool call.
        signed_turns: whether, with reasoning, the current turn must start with the model's own reasoning.
        required_fields: required fields of an assistant message with calls, and their defaults.
        required_call_fields: the same for the first call of such a message.
        format_with_tools: whether a request with tools may ask for a form of the answer.
        schemas: whether the form may be a JSON schema.
    """

    names: re.Pattern[str] = _LETTER_FIRST
    ids: re.Pattern[str] = _SHORT_ID
    one_system: bool = True
    alternate: bool = True
    user_after_outcome: bool = True
    content_of_calls: str | None = None
    blank_outcome: str = "(no output)"
    media: frozenset[str] = PICTURES
    outcome_media: bool = False
    needs_tools: bool = False
    arguments: re.Pattern[str] = _ANY_ID
    inlines_references: bool = False
    distinct_calls: bool = False
    returned_fields: frozenset[str] = frozenset()
    returned_call_fields: frozenset[str] = frozenset()
    signed_turns: bool = False
    required_fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    required_call_fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    format_with_tools: bool = False
    schemas: bool = True


ITEMS = frozenset({"reasoning_items", "phase"})
"""Reasoning items and phases of OpenAI's Responses API, written only by models on that API."""

_THOUGHTS = frozenset({*REASONING_FIELDS, "reasoning_details", "thinking_blocks", "extra_content"})

_SIGNATURES = frozenset({"extra_content", "provider_specific_fields"})
"""Fields of a call in which Google's endpoint, and litellm's proxy, expect their signatures back."""

_BLOCKS = frozenset({"thinking_blocks"})
"""Anthropic's reasoning, of a message or between two of its calls."""

COMPATIBLE = Rules(returned_fields=_THOUGHTS | ITEMS, returned_call_fields=_SIGNATURES | ITEMS | _BLOCKS)
"""Rules of other OpenAI-compatible servers."""

_SKIPPED_SIGNATURE: dict[str, Any] = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""Google's placeholder for the signature of another model's call.
https://ai.google.dev/gemini-api/docs/thought-signatures"""

_OPENAI: dict[str, Any] = {
    "names": _ANY_NAME,
    "one_system": False,
    "alternate": False,
    "blank_outcome": "",
    "media": _PICTURES_AND_FILES,
    "returned_fields": ITEMS,
    "returned_call_fields": ITEMS,
    "format_with_tools": True,
}

RULES: dict[str, Rules] = {
    "openai": Rules(**_OPENAI),
    "azure": Rules(**_OPENAI),
    "anthropic": Rules(
        names=_ANY_NAME,
        ids=re.compile(r"[A-Za-z0-9_-]{1,64}"),
        one_system=False,  # litellm sends them separately
        alternate=False,  # litellm joins them
        blank_outcome="",
        media=_PICTURES_AND_FILES,
        outcome_media=True,
        needs_tools=True,
        arguments=re.compile(r"[A-Za-z0-9_.-]{1,64}"),
        signed_turns=True,
        returned_fields=_BLOCKS,
        returned_call_fields=_BLOCKS,
        format_with_tools=True,
    ),
    "gemini": Rules(
        names=re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}"),
        ids=_ANY_ID,
        one_system=False,
        alternate=False,
        blank_outcome="",
        media=_PICTURES_AND_FILES,
        outcome_media=True,
        inlines_references=True,
        distinct_calls=True,
        returned_fields=frozenset({"provider_specific_fields", "images"}),
        returned_call_fields=frozenset({"provider_specific_fields"}),
    ),
    "gemini_openai": Rules(
        returned_fields=frozenset({"extra_content"}),
        returned_call_fields=_SIGNATURES,
        required_call_fields={"extra_content": _SKIPPED_SIGNATURE},
    ),
    "mistral": Rules(ids=_NINE_LETTERS, user_after_outcome=False),
    "deepseek": Rules(
        content_of_calls="",
        schemas=False,
        returned_fields=frozenset({"reasoning_content"}),
        required_fields={"reasoning_content": " "},
    ),
    "moonshot": Rules(
        returned_fields=frozenset({"reasoning_content"}), required_fields={"reasoning_content": " "}
    ),
    "groq": Rules(one_system=False, returned_fields=frozenset({"reasoning"})),
    "cerebras": Rules(media=frozenset(), returned_fields=frozenset({"reasoning"})),
    "xai": Rules(content_of_calls="", one_system=False, returned_fields=frozenset({"reasoning_content"})),
    "openrouter": Rules(
        media=_PICTURES_AND_FILES,
        returned_fields=_THOUGHTS | {"images"},
        returned_call_fields=frozenset({"extra_content"}),
    ),
    "ollama": Rules(ids=_ANY_ID, blank_outcome="", returned_fields=frozenset({"reasoning_content"})),
    "hosted_vllm": COMPATIBLE,
}
"""The table, by litellm's name of the provider; `gemini_openai` is Gemini's OpenAI endpoint."""

_ALIASES = {
    "ollama_chat": "ollama",
    "vertex_ai": "gemini",
    "vertex_ai_beta": "gemini",
    "text-completion-openai": "openai",
    "azure_ai": "openai",
    "bedrock": "anthropic",
    "codestral": "mistral",
}
_HOSTS = {
    "api.openai.com": "openai",
    "openai.azure.com": "openai",
    "generativelanguage.googleapis.com": "gemini_openai",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "api.moonshot.": "moonshot",
    "api.groq.com": "groq",
    "api.cerebras.ai": "cerebras",
    "api.x.ai": "xai",
    "openrouter.ai": "openrouter",
}
_OPENAI_MODELS = re.compile(r"(chat)?gpt-\d|o[1-9](-|$)|chatgpt-")
_MODELS = (
    (re.compile(r"gemini"), "gemini_openai"),
    (re.compile(r"mi[sx]tral|codestral|devstral|magistral|pixtral"), "mistral"),
    (re.compile(r"deepseek"), "deepseek"),
    (re.compile(r"kimi|moonshot"), "moonshot"),
    (re.compile(r"grok-"), "xai"),
)
_REASONS_BY_DEFAULT = re.compile(r"deepseek-(reasoner|r1|v[4-9])|kimi-(?!k2-(0|instruct|turbo))|thinking")
"""Models of DeepSeek and Moonshot that reason by default."""


def rules_for(provider: str, model: str, api_base: str | None = None, *, reasons: bool = False) -> Rules:
    """Return the rules of a request's provider.

    Args:
        provider: litellm's name of the provider; an unknown one gets the safest rules.
        model: name of the model at the provider.
        api_base: URL of the server, if it is not the provider's own.
        reasons: whether the request enables reasoning.
    """
    model = model.lower().removeprefix("responses/")
    family = _ALIASES.get(provider, provider)
    rules = RULES.get(family, COMPATIBLE)
    if family == "openai" and api_base:
        host = _of_host(api_base.lower())
        family = host or _of_name(model)
        rules = RULES.get(family, COMPATIBLE)
        rules = rules if host else _served_elsewhere(rules)
    if family in ("gemini", "bedrock") and "claude" in model:
        rules = RULES["anthropic"]  # Google and Amazon offer it, too
    if family in ("deepseek", "moonshot") and not (reasons or _REASONS_BY_DEFAULT.search(model)):
        rules = replace(rules, required_fields={})
    if family == "gemini_openai" and "gemini-2" in model:
        rules = replace(rules, required_call_fields={})
    if rules.user_after_outcome and _MODELS[1][0].search(model) and family != "openai":
        # Other servers of Mistral models check with Mistral's library.
        rules = replace(rules, ids=_NINE_LETTERS, user_after_outcome=False, alternate=True, one_system=True)
    return rules


def _of_host(address: str) -> str:
    return next((family for host, family in _HOSTS.items() if host in address), "")


def _of_name(model: str) -> str:
    if _OPENAI_MODELS.match(model):
        return "openai"
    return next((family for pattern, family in _MODELS if pattern.search(model)), "")


def _served_elsewhere(rules: Rules) -> Rules:
    """Return a family's rules for a server of another provider, which has its own form of reasoning."""
    return replace(
        rules,
        returned_fields=rules.returned_fields | _THOUGHTS,
        returned_call_fields=rules.returned_call_fields | _SIGNATURES | _BLOCKS,
    )
