"""Why a provider ended its answer: its own word for it, in the words of `Finish.reason`."""

from __future__ import annotations

from typing import Any

FAILED = frozenset(
    {
        *("abort", "network-error", "engine-overloaded", "insufficient-system-resource"),
        *("malformed-function-call", "malformed-response", "unexpected-tool-call", "too-many-tool-calls"),
        *("missing-thought-signature", "finish-reason-unspecified"),
    }
)
"""Reasons that mean that the answer went wrong, not that it ended; litellm takes them for "stop"."""


PAUSED = "pause-turn"
"""The provider stopped in the middle of a long turn of its own tools; asked again, it carries on.
https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn"""

_OWN = FAILED | {PAUSED, "model-context-window-exceeded"}


def finish_reason(litellm: Any, reason: str) -> str:
    """Return a provider's finish reason as litellm names it, with dashes; some of them as they are."""
    plain = reason.strip().lower().replace("_", "-")
    if plain in _OWN:
        return plain
    named: str | None = litellm.types.utils.StreamingChoices(finish_reason=reason).finish_reason
    return (named or plain).replace("_", "-")
