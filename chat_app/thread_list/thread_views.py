"""The rows of the thread list, and how threads become them. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent_core.domain.messages import Thread
from chat_app.plain_text import one_line
from chat_app.thread.turn_status import awaits_agent

_TONES = {"streaming": "running", "awaiting_tool_results": "running", "failed": "failed"}


@dataclass(frozen=True)
class ThreadItem:
    """A row of the thread list.

    Attributes:
        title: "" while it has none.
        tone: running, waiting (needs the person), failed, or "" when there is nothing to say.
        at: last activity, in seconds since the epoch, to the minute: a running thread is active all
            the time, and a row that changed is sent again.
    """

    id: str
    title: str
    tone: str
    at: float
    pinned: bool = False


@dataclass(frozen=True)
class ThreadPatch:
    """What changed in the threads that a tab shows.

    Attributes:
        base: the number of the patch before; 0: this one holds everything.
        number: its own; 0: nothing has been read yet.
        rows: the threads that are new or changed.
        gone: ids of those that are not shown any more.
        more: whether there are older ones.
        limit: how many are shown at the most, besides the pinned ones.
    """

    base: int = 0
    number: int = 0
    rows: list[ThreadItem] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    more: bool = False
    limit: int = 0


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
