"""Why a provider ended its answer: its own word for it, in the words of `Finish.reason`."""

from __future__ import annotations

from typing import Any

FAILED = frozenset(
    {
        *("abort", "network-error", "engine-overloaded"),
        *("malformed-function-call", "malformed-response", "unexpected-tool-call", "too-many-tool-calls"),
        *("missing-thought-signature", "finish-reason-unspecified"),
    }
)
"""Reasons that mean that the answer went wrong, not that it ended; litellm takes them for "stop"."""


def finish_reason(litellm: Any, reason: str) -> str:
    """Return a provider's finish reason as litellm names it, with dashes; one of `FAILED` as it is."""
    plain = reason.strip().lower().replace("_", "-")
    if plain in FAILED:
        return plain
    named: str | None = litellm.types.utils.StreamingChoices(finish_reason=reason).finish_reason
    return (named or plain).replace("_", "-")
