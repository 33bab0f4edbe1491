"""Checks of strict providers that fake ones lack: calls and outcomes must be paired.

OpenAI: https://platform.openai.com/docs/guides/function-calling
Anthropic: https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
Gemini: https://ai.google.dev/gemini-api/docs/function-calling
Ollama: https://github.com/ollama/ollama/blob/main/docs/api.md#chat-request-with-history-with-tools
Responses: https://platform.openai.com/docs/guides/conversation-state
"""

from __future__ import annotations

import json
from typing import Any

from agent_core.testing import check_pairing
from tests.support.providers.pairing_gemini import check_contents

OPENAI, ANTHROPIC, OLLAMA = "/chat/completions", "/messages", "/api/chat"
RESPONSES = "/responses"
GEMINI = (":generateContent", ":streamGenerateContent")

_HISTORIES = ("messages", "contents", "input")  # the key of the history in each dialect


def complaint(path: str, body: bytes) -> str | None:
    """Return a strict provider's reason to refuse a request; None if it is valid or has no history.

    A history in an unknown dialect is refused as well, because no check covers it.
    """
    path = path.split("?")[0]
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(request, dict) or not _asks_a_model(path, request):
        return None
    try:
        _check(path, request)
    except AssertionError as error:
        return str(error)
    except (AttributeError, LookupError, TypeError) as error:
        return f"the history cannot be read: {error!r}"
    return None


def _asks_a_model(path: str, request: dict[str, Any]) -> bool:
    """Return whether a body is a model request; only Gemini has the model's name in the path."""
    named = "model" in request or path.endswith(GEMINI)
    return named and any(name in request for name in _HISTORIES)


def _check(path: str, request: dict[str, Any]) -> None:
    if path.endswith(OPENAI):
        check_pairing(request["messages"])
    elif path.endswith(ANTHROPIC):
        check_blocks(request["messages"])
    elif path.endswith(RESPONSES):
        check_items(request["input"])
    elif path.endswith(OLLAMA):
        check_turns(request["messages"])
    elif path.endswith(GEMINI):
        check_contents(request["contents"])
    else:
        raise AssertionError(
            f"nobody checks the histories that are sent to {path}: see tests/support/providers/pairing"
        )


def refusal(sentence: str) -> bytes:
    """Return the body of a 400 response that clients of every dialect can read."""
    message = f"The request is malformed: {sentence}"
    return json.dumps(
        {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    ).encode()


def check_blocks(messages: list[dict[str, Any]]) -> None:
    """Check Anthropic's rule: the message after a `tool_use` begins with a `tool_result` for each.

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


def check_items(items: list[dict[str, Any]] | str) -> None:
    """Check the items of OpenAI's Responses API: one output after each call, and one call for each output.

    Raises:
        AssertionError: says which call or output breaks the rule, in OpenAI's words.
    """
    open_calls: set[str] = set()
    called: set[str] = set()
    for item in [] if isinstance(items, str) else items:
        kind, call_id = item.get("type"), item.get("call_id")
        if kind == "function_call":
            assert call_id not in called, f"Duplicate item found with id {call_id}."
            open_calls.add(str(call_id))
            called.add(str(call_id))
        elif kind == "function_call_output":
            assert call_id in open_calls, (
                f"No tool call found for function call output with call_id {call_id}."
            )
            open_calls.remove(str(call_id))
    assert not open_calls, f"No tool output found for function call {sorted(open_calls)[0]}."


def check_turns(messages: list[dict[str, Any]]) -> None:
    """Check Ollama's rule: calls have no ids, so as many outcomes follow immediately, in the same order.

    Ollama itself refuses only arguments that are not an object. It passes missing and surplus outcomes to the
    model, which then mistakes one call's outcome for another's.

    Raises:
        AssertionError: says which message breaks the rule.
    """
    still_open = 0
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            assert still_open, f"message {place} answers a call that is not open"
            still_open -= 1
            continue
        assert not still_open, f"message {place} comes before the outcome of {still_open} calls"
        calls = message.get("tool_calls") or []
        assert not calls or message["role"] == "assistant", (
            f"message {place} calls, but is not the assistant's"
        )
        assert calls or message.get("content") or message.get("images"), f"message {place} is empty"
        assert all(isinstance(call["function"]["arguments"], dict) for call in calls), (
            f"message {place} calls with arguments that are no object"
        )
        still_open = len(calls)
    assert not still_open, f"the request ends without the outcome of {still_open} calls"
