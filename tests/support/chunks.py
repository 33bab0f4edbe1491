"""Short constructors of chunks and parts for the tests of folds."""

from __future__ import annotations

from typing import Any

from agent_core.domain.messages import Chunk, Part

START: Chunk = {"type": "text-start", "id": "1"}
END: Chunk = {"type": "text-end", "id": "1"}
FINISH: Chunk = {"type": "finish-step"}
CALL: Chunk = {"type": "tool-input-available", "toolCallId": "c", "toolName": "f", "input": {"a": 1}}
CALLED: Part = {"type": "tool-f", "toolCallId": "c", "state": "input-available", "input": {"a": 1}}
ASK: Chunk = {"type": "tool-approval-request", "toolCallId": "c", "approvalId": "p"}


def delta(text: str, name: str = "1", kind: str = "text") -> Chunk:
    """Return a delta of text or reasoning."""
    return {"type": f"{kind}-delta", "id": name, "delta": text}


def text(words: str, state: str = "done") -> Part:
    """Return a text part."""
    return {"type": "text", "text": words, "state": state}


def output(value: Any, **more: Any) -> Chunk:
    """Return the outcome of the call."""
    return {"type": "tool-output-available", "toolCallId": "c", "output": value, **more}


def error(words: str) -> Chunk:
    """Return the error with which the call ends."""
    return {"type": "tool-output-error", "toolCallId": "c", "errorText": words}


def denied(**more: Any) -> Chunk:
    """Return the outcome of a rejected call."""
    return {"type": "tool-output-denied", "toolCallId": "c", **more}


def answer(approved: bool, **more: Any) -> Chunk:
    """Return a user's approval or rejection."""
    return {"type": "tool-approval-response", "approvalId": "p", "approved": approved, **more}
