"""Derive the status of a turn from its rows. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_core import Budget
from chat_app.plain_text import clean_text
from chat_app.thread.views import MessageView, RetryView


def _tools(turn: list[MessageView]) -> list[str]:
    return [part.tool.state for message in turn for part in message.parts if part.kind == "tool"]


def needs_person(turn: list[MessageView], retry: Mapping[str, Any]) -> bool:
    """Return whether a tool call waits for an approval or an answer, or the turn for an unknown agent."""
    return awaits_agent(retry) or any(state in ("approval", "answer") for state in _tools(turn))


def awaits_agent(retry: Mapping[str, Any]) -> bool:
    """Return whether the `retry_state` of a thread says that no process knows its agent."""
    return retry.get("kind") == "unknown_agent"


def is_paused(retry: Mapping[str, Any]) -> bool:
    """Return whether the `retry_state` of a thread says that a limit or a budget has paused it."""
    return retry.get("kind") in ("limit", "budget")


def is_writing(turn: list[MessageView]) -> bool:
    """Return whether the turn ends with visible activity: a text, even a finished one, or a running tool."""
    parts = turn[-1].parts if turn else []
    if not parts:
        return False
    last = parts[-1]
    return last.live or last.kind == "text" or last.tool.state in ("preparing", "running", "retrying")


def retry_view(state: Mapping[str, Any], now: float) -> RetryView:
    """Return the view of the pending retry in a thread's `retry_state`; `now` is by the database's clock."""
    return RetryView(
        kind=str(state.get("kind") or ""),
        attempt=int(state.get("attempt") or 0),
        max_attempts=int(state.get("max_attempts") or 0),
        seconds=max(0.0, float(state.get("next_at") or 0) - now),
        error=clean_text(str(state.get("error") or "")),
        error_info=state.get("error_info") or {},
        next_at=float(state.get("next_at") or 0),
    )


def doubled_budget(state: Mapping[str, Any]) -> tuple[Budget, dict[str, str]] | None:
    """Return twice the budget for which a thread waits, and the argument of `set_budget` that names its scope.

    None: the thread waits for something else, or its budget is 0, which means that nothing is allowed.
    """
    found, scope = state.get("budget") or {}, state.get("scope") or {}
    usd, tokens = (found.get("usd") or 0) * 2 or None, (found.get("tokens") or 0) * 2 or None
    name = {"user": "user_id", "agent": "agent", "thread": "thread_id"}.get(str(scope.get("kind")))
    if state.get("awaits_room") or name is None or (usd is None and tokens is None):
        return None
    return Budget(usd=usd, tokens=tokens, per=found["per"]), {name: str(scope["name"])}
