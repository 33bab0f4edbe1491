"""Keep OpenAI's reasoning items before the calls that they led to.

Of one assistant message litellm sends all reasoning items first, then the text and all calls. So a step that
reasoned again between them becomes several messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_core.domain.model_adapter import ProviderMessage

_ITEMS = "reasoning_items"
"""Field with reasoning items, in a message or in the call that they led to."""


def split_by_reasoning(messages: Sequence[ProviderMessage]) -> list[ProviderMessage]:
    """Return a history whose reasoning items are in messages of their own, with the calls that follow them."""
    return [step for message in messages for step in _steps(message)]


def _steps(message: ProviderMessage) -> list[ProviderMessage]:
    calls: list[ProviderMessage] = message.get("tool_calls") or []
    if not any(_ITEMS in call for call in calls):
        return [message]
    steps = [{key: value for key, value in message.items() if key != "tool_calls"}]
    for call in calls:
        if items := call.get(_ITEMS):
            if steps[-1].get("content") or steps[-1].get("tool_calls"):
                steps.append({"role": "assistant", "content": None})
            steps[-1][_ITEMS] = [*steps[-1].get(_ITEMS, []), *items]
        sent = {key: value for key, value in call.items() if key != _ITEMS}
        steps[-1].setdefault("tool_calls", []).append(sent)
    return steps
