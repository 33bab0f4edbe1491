"""Check the names of models without the slow import of litellm.

This module reads litellm's own files: its table of models, and its lists of providers. If the files are missing
or have changed, every name is accepted.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from agent_core.errors import ValidationError
from agent_core.llm.custom import custom_providers
from agent_core.support.argument_checks import did_you_mean

_TABLE = "model_prices_and_context_window_backup.json"
_MORE = "llms/openai_like/providers.json"
_LISTED = re.compile(r"^class LlmProviders\(.*?(?=^\S)", re.M | re.S)
_VALUE = re.compile(r'^    \w+ = "([^"]+)"', re.M)
_CHATS = frozenset({"chat", "completion", "responses", None})


def check_model_name(name: str, who: str, *, open_ended: bool = False) -> None:
    """Check that litellm knows the provider of a model, or the model if no provider is named.

    Args:
        name: such as openai/gpt-5-mini, or gpt-5-mini.
        who: origin of the name, such as CHAT_MODEL.
        open_ended: whether a provider may be registered later, so that an unknown one is accepted.

    Raises:
        ValidationError: litellm would reject the name; the message has the closest known one.
    """
    models, providers = models_by_name(), providers_by_name()
    if not models or not providers:
        return
    mode = models.get(name, {}).get("mode")
    if mode not in _CHATS:
        raise ValidationError(f"{who} is {name!r}, which is not a chat model; its mode is {mode}.")
    provider, slash, model = name.partition("/")
    if name in models or (slash and model and (open_ended or provider in providers | custom_providers())):
        return
    if slash:
        near = did_you_mean(provider, sorted(providers)).replace("?", f"/{model}?")
        raise ValidationError(f"{who} is {name!r}, but litellm knows no provider {provider!r}{near or '.'}")
    chatting = [known for known, about in models.items() if "/" not in known and about.get("mode") in _CHATS]
    near = did_you_mean(name, ["demo", *chatting]) or "."
    raise ValidationError(
        f"{who} is {name!r}, which is not a model that litellm knows{near} Write one that is not in its list "
        f"as provider/model, such as openai/{name}."
    )


@functools.cache
def models_by_name() -> dict[str, dict[str, Any]]:
    """Return litellm's table of models; {} if it is missing."""
    try:
        table = json.loads(_read(_TABLE))
    except (OSError, ValueError):
        return {}
    return {name: about for name, about in table.items() if name != "sample_spec"}


@functools.cache
def providers_by_name() -> frozenset[str]:
    """Return the names of litellm's providers; empty if its lists cannot be read."""
    try:
        listed = _LISTED.search(_read("types/utils.py"))
        return frozenset(_VALUE.findall(listed[0] if listed else "")) | set(json.loads(_read(_MORE)))
    except (OSError, ValueError):
        return frozenset()


def _read(path: str) -> str:
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("litellm is not installed")
    return (Path(spec.origin).parent / path).read_text(encoding="utf-8")
