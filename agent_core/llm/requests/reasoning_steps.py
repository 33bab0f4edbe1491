"""Keep reasoning before the calls that it led to.

Of one assistant message litellm sends all reasoning first, then the text and all calls. So a step that reasoned again
between them becomes several messages; for Anthropic, litellm joins them in their order.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_core.domain.model_adapter import ProviderMessage

_ITEMS = "reasoning_items"
_BLOCKS = "thinking_blocks"
"""Fields with reasoning of OpenAI and of Anthropic, in a message or in the call that it led to."""


def split_by_reasoning(
    messages: Sequence[ProviderMessage], *, has_blocks_in_order: bool
) -> list[ProviderMessage]:
    """Return a history in which calls have no reasoning: it is in messages of its own, with the calls that follow.

    `has_blocks_in_order` says whether Anthropic's reasoning is, too; else it is added to that of the message, for
    servers that accept a message with calls only before their outcomes.
    """
    apart = (_ITEMS, _BLOCKS) if has_blocks_in_order else (_ITEMS,)
    return [step for message in messages for step in _steps(message, apart)]


def _steps(message: ProviderMessage, apart: tuple[str, ...]) -> list[ProviderMessage]:
    calls: list[ProviderMessage] = message.get("tool_calls") or []
    if not any(key in call for call in calls for key in (_ITEMS, _BLOCKS)):
        return [message]
    steps = [{key: value for key, value in message.items() if key != "tool_calls"}]
    for call in calls:
        begun = steps[-1].get("content") or steps[-1].get("tool_calls")
        if begun and any(call.get(key) for key in apart):
            steps.append({"role": "assistant", "content": None})
        for key in (_ITEMS, _BLOCKS):
            if reasoning := call.get(key):
                steps[-1][key] = [*steps[-1].get(key, []), *reasoning]
        sent = {key: value for key, value in call.items() if key not in (_ITEMS, _BLOCKS)}
        steps[-1].setdefault("tool_calls", []).append(sent)
    return steps
