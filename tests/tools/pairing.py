"""What strict providers refuse and fake ones let through: calls and outcomes that are not paired.

OpenAI: https://platform.openai.com/docs/guides/function-calling
Anthropic: https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
"""

from __future__ import annotations

import json
from typing import Any

from agent_core.testing import check_pairing

OPENAI, ANTHROPIC = "/chat/completions", "/messages"


def complaint(path: str, body: bytes) -> str | None:
    """Return what a strict provider has against a request; None: nothing, or it is no model request."""
    path = path.split("?")[0]
    check = check_pairing if path.endswith(OPENAI) else check_blocks if path.endswith(ANTHROPIC) else None
    if check is None:
        return None
    try:
        check(json.loads(body)["messages"])
    except AssertionError as error:
        return str(error)
    return None


def refusal(sentence: str) -> bytes:
    """Return the body of the answer 400, in a form that clients of both dialects read."""
    message = f"The request is malformed: {sentence}"
    return json.dumps(
        {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    ).encode()


def check_blocks(messages: list[dict[str, Any]]) -> None:
    """Check Anthropic's form: the message after a `tool_use` begins with a `tool_result` for each.

    Raises:
        AssertionError: says which message breaks the rule.
    """
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        blocks = _blocks(message, place)
        answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert sorted(answered) == sorted(open_calls), (
            f"message {place} answers {sorted(answered)} where {sorted(open_calls)} are open"
        )
        assert all(block["type"] == "tool_result" for block in blocks[: len(answered)]), (
            f"message {place} has something before its outcomes"
        )
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        assert not calls or message["role"] == "assistant", (
            f"message {place} calls, but is not the assistant's"
        )
        assert not answered or message["role"] == "user", f"message {place} answers, but is not the user's"
        open_calls = set(calls)
        assert len(open_calls) == len(calls), f"message {place} calls twice with one id"
    assert not open_calls, f"the request ends without the outcome of {sorted(open_calls)}"


def _blocks(message: dict[str, Any], place: int) -> list[dict[str, Any]]:
    content = message["content"]
    assert content, f"message {place} is empty"
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    assert all(block.get("text", "-").strip() for block in blocks), f"message {place} has an empty text"
    return blocks
