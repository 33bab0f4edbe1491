"""Translate the finish reasons of providers to those of `Finish.reason`."""

from __future__ import annotations

from typing import Any

FAILED = frozenset(
    {
        *("abort", "network-error", "engine-overloaded", "insufficient-system-resource"),
        *("malformed-function-call", "malformed-response", "unexpected-tool-call", "too-many-tool-calls"),
        *("missing-thought-signature", "finish-reason-unspecified"),
    }
)
"""Reasons that mean a failure of the answer; litellm maps them to "stop"."""


PAUSED = "pause-turn"
"""Reason of an answer that paused within the provider's own tools; a new request continues it.
https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn"""

_OWN = FAILED | {PAUSED, "model-context-window-exceeded"}


def finish_reason(litellm: Any, reason: str) -> str:
    """Return a provider's finish reason by its litellm name, with dashes; some reasons unchanged."""
    plain = reason.strip().lower().replace("_", "-")
    if plain in _OWN:
        return plain
    named: str | None = litellm.types.utils.StreamingChoices(finish_reason=reason).finish_reason
    return (named or plain).replace("_", "-")
