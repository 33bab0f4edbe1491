"""Check the options of model requests: names known to litellm and its providers, and their values.

litellm puts unknown options into the body of the provider's request, where some providers reject a misspelt
name and others ignore it. So unknown names are rejected when a model is created; options of a provider
that are not on this list go through `extra_body=`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from agent_core.errors import UnknownOptionError, ValidationError
from agent_core.support.argument_checks import ArgumentKind, did_you_mean, kind_of, shown

OURS = {
    "model": "the model is the agent's second argument",
    "messages": "messages come from the thread; transform_messages= may change them",
    "stream": "answers are always streamed; save_stream_deltas=False hides them until they are whole",
    "stream_options": "answers are always streamed, with their usage",
    "max_retries": "retries are decided in one place: retry=RetryPolicy(max_attempts=…)",
    "num_retries": "retries are decided in one place: retry=RetryPolicy(max_attempts=…)",
    "functions": "functions are tools today: tools=[…]",
    "function_call": "functions are tools today: tool_choice=…",
    "model_list": "a model list is for litellm's router; give one model",
}
"""Parameters of litellm's `acompletion` that an agent sets itself, and what to use instead."""

_WHOLE = ("max_tokens", "max_completion_tokens", "n", "seed", "top_logprobs", "top_k", "num_ctx")
_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "min_p", "repetition_penalty")
_FLAGS = ("parallel_tool_calls", "logprobs", "drop_params", "store", "caching")
_TEXTS = (
    *("user", "api_key", "api_base", "base_url", "api_version", "organization", "custom_llm_provider"),
    *("service_tier", "verbosity", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
)
_DICTS = ("extra_body", "extra_headers", "default_headers", "logit_bias", "metadata", "web_search_options")
_TYPED: dict[str, Any] = {
    **dict.fromkeys(_WHOLE, int | None),
    **dict.fromkeys(_NUMBERS, float | None),
    **dict.fromkeys(_FLAGS, bool | None),
    **dict.fromkeys(_TEXTS, str | None),
    **dict.fromkeys(_DICTS, dict[str, Any] | None),
    "stop": str | list[str] | None,
}
_KINDS: dict[str, ArgumentKind] = {
    name: kind for name, hint in _TYPED.items() if (kind := kind_of(hint)) is not None
}

STANDARD = frozenset(
    {
        *_TYPED,
        *("timeout", "request_timeout", "modalities", "prediction", "audio", "response_format"),
        "tool_choice",
        *("deployment_id", "reasoning_effort", "thinking", "shared_session", "enable_json_schema_validation"),
        *("include_server_side_tool_invocations", "context_management"),
    }
)
"""OpenAI's parameters and those of the connection, which litellm translates for every provider."""

LITELLM = frozenset(
    {
        *("additional_drop_params", "allowed_openai_params", "headers", "mock_response", "mock_timeout"),
        *("cache", "ttl", "client", "client_id", "client_secret", "tenant_id", "region_name"),
        *("azure_ad_token_provider", "base_model", "fallbacks", "context_window_fallback_dict", "model_info"),
        *("guardrails", "tags", "rpm", "tpm", "max_parallel_requests", "force_timeout", "stream_timeout"),
        *("cooldown_time", "user_continue_message", "assistant_continue_message", "ensure_alternating_roles"),
        *("supports_system_message", "hf_model_name", "merge_reasoning_content_in_choices"),
        *("provider_specific_header", "prompt_id", "prompt_variables", "roles", "prompt_label"),
        *("prompt_version", "no-log", "turn_off_message_logging", "use_litellm_proxy", "use_in_pass_through"),
        *("initial_prompt_value", "final_prompt_value", "bos_token", "eos_token", "enable_prompt_caching"),
        *("cache_key", "max_budget", "budget_duration", "ssl_verify", "azure_ad_token"),
        "cache_control_injection_points",
    }
)
"""litellm's own parameters."""

PROVIDERS = frozenset(
    {
        # Sampling, named as by servers of open models (vLLM, llama.cpp, Ollama, TGI).
        *("top_a", "min_tokens", "repeat_penalty", "repeat_last_n", "mirostat", "mirostat_eta"),
        *("mirostat_tau", "tfs_z", "typical_p", "best_of", "ignore_eos", "stop_token_ids", "length_penalty"),
        *("use_beam_search", "random_seed", "guided_json", "guided_regex", "guided_choice", "guided_grammar"),
        *("structured_outputs", "chat_template_kwargs", "skip_special_tokens", "include_stop_str_in_output"),
        *("num_predict", "num_gpu", "num_thread", "num_keep", "num_batch", "keep_alive", "think", "format"),
        *("template", "options", "raw", "do_sample"),
        # Anthropic, Bedrock
        *("container", "mcp_servers", "output_config", "anthropic_version", "anthropic_beta", "betas"),
        *("inference_geo", "speed", "cache_control", "guardrailConfig", "performanceConfig"),
        *("requestMetadata", "trace", "model_id"),
        # Gemini, Vertex
        *("safety_settings", "safetySettings", "generation_config", "response_schema", "response_mime_type"),
        *("labels", "cached_content", "thinkingConfig", "thinking_config", "tool_config", "toolConfig"),
        "media_resolution",
        # OpenRouter, Perplexity, xAI, Mistral, Groq, Cerebras, Moonshot, Watsonx, Snowflake
        *("transforms", "models", "route", "provider", "reasoning", "include_reasoning", "usage", "plugins"),
        *("search_domain_filter", "search_recency_filter", "search_mode", "search_parameters"),
        *("search_context_size", "return_images", "return_related_questions", "last_updated_after_filter"),
        *("search_after_date_filter", "search_before_date_filter", "disable_search"),
        *("enable_search_classifier", "safe_prompt", "prompt_mode", "reasoning_format", "disable_reasoning"),
        *("disable_tool_validation", "enable_thinking", "thinking_budget", "clear_thinking"),
        *("reasoning_split", "project_id", "space_id", "account_id"),
    }
)
"""Parameters of single providers, which litellm passes on."""

_FAMILIES = re.compile(
    r"(?:litellm|aws|s3|vertex|azure|oci|sap|gigachat|langfuse|langsmith|arize|posthog|newrelic|datadog|dd|humanloop)_\w+"
    r"|\w+_cost(?:_per)?_\w+|\w+_cost"
)
"""Families of parameters: credentials, loggers, prices."""

_URL = re.compile(r"https?://", re.I)

_ELSEWHERE = {
    **dict.fromkeys(("instructions", "prompt", "system_prompt", "system_message", "instruction"), "system"),
    **dict.fromkeys(
        ("max_turns", "max_iterations", "max_rounds", "recursion_limit", "stop_when"), "max_steps"
    ),
    **dict.fromkeys(("retries", "retry_policy", "max_attempts"), "retry"),
    **dict.fromkeys(("on_finish", "on_end", "on_complete"), "on_turn_complete"),
    **dict.fromkeys(("functions", "toolset"), "tools"),
}
"""Names of an agent's parameters in other libraries."""

_ALL = STANDARD | LITELLM | PROVIDERS


def check_options(
    who: str, options: Mapping[str, Any], *, named: Collection[str] = (), more: Collection[str] = ()
) -> None:
    """Check the names and values of options.

    Args:
        who: name of the called function or class, for the message.
        options: the options of a request.
        named: other parameters of `who`, for suggestions.
        more: names of further options, such as an adapter's own.

    Raises:
        ValidationError: an option is unknown, set by the agent itself, or has an invalid value.
    """
    for name, value in options.items():
        if name in more:
            continue
        if name in OURS:
            raise UnknownOptionError(f"{who} has no option {name!r}: {OURS[name]}.")
        if name not in _ALL and not _FAMILIES.fullmatch(name):
            near = _near(name, named, more)
            what = near or "; options of a single provider go into extra_body={…}."
            raise UnknownOptionError(f"{who} has no option {name!r}{what}")
        _check_value(who, name, value)


def _near(name: str, named: Collection[str], more: Collection[str]) -> str:
    if (meant := _ELSEWHERE.get(name.lower())) in named:
        return f"; did you mean {meant}?"
    near = did_you_mean(name, named) or did_you_mean(name, sorted({*more, *STANDARD}))
    return near or did_you_mean(name, sorted(LITELLM | PROVIDERS), cutoff=0.85)


def _check_value(who: str, name: str, value: Any) -> None:
    kind = _KINDS.get(name)
    if kind is not None and not kind.fits(value):
        raise ValidationError(f"{name} of {who} must be {kind.words}, not {shown(value)}.")
    if name in ("api_base", "base_url") and value is not None and not _URL.match(value):
        raise ValidationError(f"{name} of {who} must begin with http:// or https://, not be {shown(value)}.")
    if name in ("timeout", "request_timeout", "stream_timeout") and not _is_timeout(value):
        raise ValidationError(f"{name} of {who} must be seconds, more than 0, not {shown(value)}.")


def _is_timeout(value: Any) -> bool:
    """Return whether a value is seconds, None, or an httpx.Timeout."""
    if isinstance(value, int | float):
        return not isinstance(value, bool) and value > 0
    return value is None or hasattr(value, "connect")
