"""Look up the provider of a model, and its support of pictures, in litellm's table."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any


def provider_of(litellm: Any, name: str, options: Mapping[str, Any]) -> tuple[str, str]:
    """Return litellm's name of a model's provider, and the model's name there."""
    provider: str | None = options.get("custom_llm_provider")
    if provider is None:
        provider = _provider(litellm, name)
    return provider, name.removeprefix(f"{provider}/")


@functools.lru_cache(maxsize=1_000)
def _provider(litellm: Any, name: str) -> str:
    head, slash, _ = name.partition("/")
    if slash and head in litellm.provider_list:
        return head
    try:
        return str(litellm.get_llm_provider(name)[1])
    except Exception:  # the request itself will raise a readable error
        return ""


@functools.lru_cache(maxsize=1_000)
def sees_pictures(litellm: Any, name: str) -> bool | None:
    """Return whether a model supports pictures; None if the table does not say."""
    try:
        info: dict[str, Any] = litellm.model_cost.get(name) or litellm.get_model_info(name)
    except Exception:  # it raises a bare Exception for a model that is not in its table
        return None
    told = info.get("supports_vision")
    if told is None and not info.get("max_input_tokens"):
        return None  # the table has only the names of Ollama models
    return bool(told)
