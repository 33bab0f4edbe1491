"""From threads and hits of a search to the rows that the page draws of them. Pure functions."""

from __future__ import annotations

from agent_core.domain.messages import SearchHit, Thread
from agent_core.text.plain_text import strip_escapes
from chat_app.state.standing import awaits_agent
from chat_app.state.view import HitView, ThreadItem
from chat_app.text import clean_text, shorten

UNTITLED = "New chat"
MAX_TITLE = 120
"""A longer title is cut, in characters."""
_TONES = {"streaming": "running", "awaiting_tool_results": "running", "failed": "failed"}


def thread_item(thread: Thread, waiting: bool = False) -> ThreadItem:
    """Return the row of a thread in the list; `waiting` says whether it needs the person."""
    return ThreadItem(
        id=thread.id,
        title=one_line(thread.title),
        tone="waiting"
        if waiting or awaits_agent(thread.retry_state or {})
        else _TONES.get(str(thread.status), ""),
        at=thread.updated_at.timestamp() // 60 * 60,
        pinned=thread.pinned,
    )


def hit_view(hit: SearchHit) -> HitView:
    """Return the row of a search hit."""
    return HitView(
        thread_id=hit.thread.id,
        title=one_line(hit.thread.title),
        message_id=hit.message_id or "",
        snippet=clean_text(hit.snippet),
        at=hit.thread.updated_at.timestamp(),
        archived=hit.thread.archived,
    )


def thread_title(title: str | None) -> str:
    """Return one line to call a thread by."""
    return one_line(title) or UNTITLED


def one_line(title: str | None) -> str:
    """Return a title on one line, without the escape sequences of terminals; "" if there is none."""
    return clean_text(shorten(" ".join(strip_escapes(title or "").split()), MAX_TITLE))
