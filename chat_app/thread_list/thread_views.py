"""Convert threads to the rows and patches of the thread list. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent_core.domain.messages import Thread
from chat_app.plain_text import one_line
from chat_app.thread.turn_status import awaits_agent, is_paused

_TONES = {"streaming": "running", "awaiting_tool_results": "running", "failed": "failed"}


@dataclass(frozen=True)
class ThreadItem:
    """Row of the thread list.

    Attributes:
        title: the title; "" while the thread has none.
        tone: running, paused (by a limit or a budget), waiting (needs a person), failed, or "" for none of these.
        at: last activity, in seconds since the epoch, rounded down to the minute: a running thread is
            active all the time, and each changed row is sent again.
        share: the token of its share link; "" while there is none.
    """

    id: str
    title: str
    tone: str
    at: float
    pinned: bool = False
    share: str = ""


@dataclass(frozen=True)
class ThreadPatch:
    """Changes of the threads that a tab shows.

    Attributes:
        base: number of the previous patch; 0 if this patch has all rows.
        number: number of this patch; 0 before the first read.
        rows: new and changed threads.
        gone: ids of threads that are not shown any more.
        more: whether there are older threads.
        limit: maximum number of shown threads, not counting the pinned ones.
    """

    base: int = 0
    number: int = 0
    rows: list[ThreadItem] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    more: bool = False
    limit: int = 0


def thread_item(thread: Thread, waiting: bool = False) -> ThreadItem:
    """Return the row of a thread; `waiting` says whether one of its tool calls needs a person."""
    return ThreadItem(
        id=thread.id,
        title=one_line(thread.title),
        tone=_tone(thread, waiting),
        at=thread.updated_at.timestamp() // 60 * 60,
        pinned=thread.pinned,
        share=str(thread.metadata.get("share") or ""),
    )


def _tone(thread: Thread, waiting: bool) -> str:
    state = thread.retry_state or {}
    if waiting or awaits_agent(state):
        return "waiting"
    return "paused" if is_paused(state) else _TONES.get(str(thread.status), "")
