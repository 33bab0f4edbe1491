"""Work around litellm dropping duplicate tool calls for Gemini.

Gemini's older models give calls no ids, and of calls with the same name and arguments litellm sends only the
first (`check_if_part_exists_in_parts` in its Gemini transformation), but every outcome. Gemini rejects such
a request, because the numbers of calls and responses must be equal. So a repeated call becomes a step of its
own after the others, with its outcome.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from agent_core.domain.model_adapter import ProviderMessage

_SIGNED = "provider_specific_fields"
"""Field in which litellm looks for a call's thought signature."""


def split_duplicates(messages: Sequence[ProviderMessage]) -> list[ProviderMessage]:
    """Return a paired history in which no step calls a tool twice with the same arguments."""
    split: list[ProviderMessage] = []
    for is_outcome, group in groupby(messages, lambda message: message.get("role") == "tool"):
        run = list(group)
        if is_outcome and split and split[-1].get("tool_calls"):
            run = _steps(split.pop(), run)
        split += run
    return split


def _steps(message: ProviderMessage, outcomes: list[ProviderMessage]) -> list[ProviderMessage]:
    """Return the message and its outcomes, followed by a step for each repetition of a call."""
    rounds = _rounds(message["tool_calls"])
    if len(rounds) == 1:
        return [message, *outcomes]
    steps: list[ProviderMessage] = []
    for calls in rounds:
        step = {"role": "assistant", "content": None} if steps else message
        ids = {call.get("id") for call in calls}
        answers = [outcome for outcome in outcomes if outcome.get("tool_call_id") in ids]
        steps += [{**step, "tool_calls": calls}, *answers]
    return steps


def _rounds(calls: list[ProviderMessage]) -> list[list[ProviderMessage]]:
    rounds: list[list[ProviderMessage]] = []
    for call in calls:
        equal: ProviderMessage = {}
        for found in rounds:
            equals = [other for other in found if _key_of(call) == _key_of(other)]
            equal = equals[0] if equals else {}
            if not equals:
                found.append(call)
                break
        else:
            # Gemini signs the first of parallel calls, and expects a signature on each step's first call.
            signed = {key: equal[key] for key in (_SIGNED,) if key in equal}
            rounds.append([{**signed, **call}])
    return rounds


def _key_of(call: ProviderMessage) -> tuple[str, Any]:
    """Return the key of a call; as in litellm, 1, 1.0 and true are equal."""
    function: dict[str, str] = call["function"]
    try:
        return function["name"], json.loads(function["arguments"] or "{}")
    except ValueError:
        return function["name"], function["arguments"]
