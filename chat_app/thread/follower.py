"""Fold the updates of one thread into rows and slices of text for one tab. Does not depend on Reflex."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from agent_core.domain.messages import Update, is_tool_part
from agent_core.domain.spans import Span
from agent_core.streaming.final_parts import FINISH
from agent_core.streaming.fold import ThreadView
from chat_app.plain_text import clean_text, from_unit, units
from chat_app.thread.message_views import MessageContext, message_view
from chat_app.thread.views import MessageView

MESSAGES_PER_PAGE = 40
"""Number of messages that are shown at first, and that each further page adds."""
BEFORE = 10
"""Number of messages that are shown before a linked message."""
NEAR = 120
"""Distance up to which a linked message is shown without a gap before the turn, in messages."""

_ENDED = ("output-available", "output-error")
"""States of a tool call that ran and has ended."""


@dataclass(frozen=True)
class TextSlice:
    """Slice of the live text: `chunk` begins at `offset` (UTF-16 code units) of `run`."""

    run: str = ""
    offset: int = 0
    chunk: str = ""


class Follower:
    """Fold of the updates of `subscribe`, with the rows and the live text that the page shows.

    The turn under way (the last prompt and everything after it) is kept apart from the history, so
    that the part that changes ten times a second is small. The text part at the end of a running turn
    is sent through `next_slice`, never through the rows.

    The times of tool calls are in the thread's timeline; `untimed` returns the answers whose times `set_times`
    needs, never more than the page shows.

    Args:
        now: the time by the database's clock, in seconds since the epoch.
        whole: show all messages uncut, for readers that cannot load more.

    Attributes:
        async_tools: names of the async tools.
    """

    def __init__(self, now: Callable[[], float] = time.time, *, whole: bool = False) -> None:
        self.async_tools: set[str] = set()
        self._view = ThreadView()
        self._runs: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._took: dict[str, tuple[float, int]] = {}
        self._waits: dict[str, float] = {}
        self._seq = 0
        self._live: tuple[str, str] | None = None  # key and text of the part that is being streamed
        self._live_chunks: tuple[str, Any] | None = None  # type and id of the deltas of that part
        self._messages: list[dict[str, Any]] = []
        self._queued: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}
        self._shown_more: dict[str, int] = {}
        self._window = MessageWindow()
        self._whole = whole
        self._now = now
        self.resuming = False
        self.rows_changed = False
        self._timed: set[str] = set()  # answers whose tool call times have been read

    @property
    def thread(self) -> dict[str, Any]:
        """Return the thread as plain JSON."""
        return self._view.thread

    @property
    def deleted(self) -> bool:
        """Return whether the thread was deleted."""
        return self._view.deleted

    @property
    def incomplete_reason(self) -> str:
        """Return why the last answer is incomplete: a provider's reason or the kind of an error; else ""."""
        if self.thread.get("status") == "failed":
            return str(self.thread.get("error_kind") or "")
        last = self._messages[-1] if self._messages else {}
        part = (last.get("parts") or [{}])[-1]
        if part.get("type") != FINISH or self.thread.get("status") != "completed":
            return ""
        return str((part.get("data") or {}).get("reason") or "")

    @property
    def answer_id(self) -> str:
        """Return the id of the last message if it is an answer; else ""."""
        last = self._messages[-1] if self._messages else {}
        return str(last.get("id")) if last.get("role") == "assistant" else ""

    @property
    def live_text(self) -> str:
        """Return the live text as received so far."""
        return clean_text(self._live[1]) if self._live else ""

    def apply(self, update: Update) -> None:
        """Apply one update; set `rows_changed` to whether it did more than lengthen the live text."""
        self._view.apply(update)
        self.rows_changed = not self._only_extends_text(update)
        if self._live and not self.rows_changed:
            self._live = (self._live[0], self._live[1] + "".join(chunk["delta"] for chunk in update.chunks))
            return
        self._read_chunks(update)
        if update.type == "snapshot":
            self._sent.clear()
            self._places.clear()
            # A later attempt has claimed the step and has not streamed any text yet.
            later = int(self.thread.get("seq") or 0) > update.seq
            self.resuming = bool(update.chunks) and later and self.thread.get("status") == "streaming"
        elif update.seq:
            self.resuming = False
        self._sort(self._view.messages)
        if update.type == "snapshot":
            self._timed.clear()
        self._seq = update.seq or self._seq
        self._live = self._live_part()
        if self._live:
            self._runs[self._live[0]] = f"{self._live[0]}:{self._seq}"

    def _only_extends_text(self, update: Update) -> bool:
        """Return whether an update only lengthens the live text, as nine of ten do; rows stay valid then."""
        if not self._live or self.resuming or update.type != "chunks" or update.seq != self._seq:
            return False
        return all(
            (chunk.get("type"), chunk.get("id")) == self._live_chunks and isinstance(chunk.get("delta"), str)
            for chunk in update.chunks
        )

    def _sort(self, messages: list[dict[str, Any]]) -> None:
        """Separate queued messages from the others; a message that leaves the queue goes to the end."""
        self._queued = [message for message in messages if message["metadata"].get("queued")]
        asked = [message for message in messages if not message["metadata"].get("queued")]
        for message in asked:
            self._places.setdefault(message["id"], len(self._places))
        self._messages = sorted(asked, key=lambda message: self._places[message["id"]])

    def _read_chunks(self, update: Update) -> None:
        """Note the deltas of the live text, the waits of retried tool calls, and the ends of tool calls."""
        for chunk in update.chunks:
            kind = str(chunk.get("type"))
            if kind in ("text-delta", "reasoning-delta"):
                self._live_chunks = (kind, chunk.get("id"))
            elif kind == "data-tool-run" and (until := (chunk.get("data") or {}).get("next_at")):
                self._waits[str(chunk.get("id"))] = max(0.0, float(until) - self._now())
            elif kind in ("tool-output-available", "tool-output-error"):
                self._timed.discard(update.message_id or "")

    def untimed(self) -> list[str]:
        """Return the ids of the shown answers whose tool call times have not been read."""
        start = self._turn_start()
        first, end = self._window.bounds(start)
        shown = (*self._messages[first:end], *self._messages[start:])
        return [each["id"] for each in shown if each["id"] not in self._timed and _has_ended_calls(each)]

    def set_times(self, answers: Iterable[str], spans: Iterable[Span]) -> None:
        """Store the duration and the last attempt of each tool call of these answers, from their spans."""
        self._timed.update(answers)
        runs: dict[str, list[Span]] = {}
        for span in spans:
            if span.kind == "tool" and span.tool_call_id:
                runs.setdefault(span.tool_call_id, []).append(span)
        for call_id, own in runs.items():
            if (ended := own[-1].ended_at) is not None:
                seconds = (ended - own[0].started_at).total_seconds()
                self._took[call_id] = max(0.0, seconds), own[-1].attempt

    def history(self) -> list[MessageView]:
        """Return the newest messages before the turn under way, or the messages around a linked one."""
        start = self._turn_start()
        first, end = (0, start) if self._whole else self._window.bounds(start)
        return [self._row(message) for message in self._messages[first:end]]

    def has_earlier(self) -> bool:
        """Return whether there are messages before those of `history`."""
        return self._window.bounds(self._turn_start())[0] > 0

    def left_out(self) -> int:
        """Return the number of messages between `history` and the turn that are not shown."""
        start = self._turn_start()
        return start - self._window.bounds(start)[1]

    def turn(self) -> list[MessageView]:
        """Return the last prompt and everything after it."""
        return [self._row(message) for message in self._messages[self._turn_start() :]]

    def queued(self) -> list[MessageView]:
        """Return the messages that wait for the turn under way to end."""
        return [self._row(message) for message in self._queued]

    def show_more(self, message_id: str) -> None:
        """Show more of a long prompt."""
        self._shown_more[message_id] = self._shown_more.get(message_id, 0) + 1

    def show_earlier(self) -> None:
        """Extend the history by a page of earlier messages."""
        self._window.show_earlier()

    def show_left_out(self) -> None:
        """Extend the history by a page of the messages that are left out."""
        self._window.show_later()

    def show_around(self, message_id: str) -> None:
        """Show a message of any age, with some messages around it."""
        place = next((n for n, message in enumerate(self._messages) if message["id"] == message_id), None)
        if place is not None:
            self._window.show_around(place, self._turn_start())

    def stored_prompts(self) -> list[str]:
        """Return the ids of the user's newest stored messages."""
        messages = [*self._messages[-12:], *self._queued]
        return [message["id"] for message in messages if message["role"] == "user"]

    def next_slice(self) -> TextSlice | None:
        """Return the part of the live text not yet sent to the page; None if there is no live text."""
        if not self._live:
            return None
        run, text = self._runs[self._live[0]], clean_text(self._live[1])
        sent = self._sent.get(run, "")
        if not text.startswith(sent):
            sent = ""
        self._sent = {run: text}
        return TextSlice(run, units(sent), text[len(sent) :])

    def slice_from(self, run: str, offset: int) -> TextSlice | None:
        """Return everything after the first `offset` UTF-16 units of `run`, for a page that missed a slice.

        None if `run` is no longer the live text.
        """
        text = self._sent.get(run)
        if text is None:
            return None
        chunk = from_unit(text, offset)
        return TextSlice(run, units(text) - units(chunk), chunk)

    def _turn_start(self) -> int:
        prompts = (i for i in range(len(self._messages) - 1, -1, -1) if self._messages[i]["role"] == "user")
        return next(prompts, 0)

    def _row(self, message: dict[str, Any]) -> MessageView:
        context = MessageContext(
            is_async=self.async_tools.__contains__,
            progress=self._view.progress,
            runs=self._view.runs,
            took=self._took,
            end_reasons=message.get("end_reasons") or {},
            error_info=message.get("error_info") or {},
            waits=self._waits,
            run=lambda key: self._runs.get(key, key),
            live_key=self._live[0] if self._live else "",
            more=None if self._whole else self._shown_more,
            votes=self.thread.get("metadata") or {},
        )
        return message_view(message, context)

    def _live_part(self) -> tuple[str, str] | None:
        """Return key and text of the part that is being streamed; None if the turn does not end with one."""
        if not self._messages or self.thread.get("status") != "streaming":
            return None
        last = self._messages[-1]
        parts = last.get("parts") or []
        if last["role"] != "assistant" or not parts:
            return None
        part = parts[-1]
        if part["type"] not in ("text", "reasoning") or part.get("state") != "streaming":
            return None
        return f"{last['id']}:{len(parts) - 1}", part.get("text") or ""


class MessageWindow:
    """Range of the messages that are shown, as indexes of the list of all messages.

    A browser needs many seconds for a page with thousands of messages; so a link to an old message shows
    the messages around it and the turn under way, and leaves a gap between them that can be filled.
    """

    def __init__(self) -> None:
        self._limit = MESSAGES_PER_PAGE
        self._far: tuple[int, int] | None = None

    def bounds(self, start: int) -> tuple[int, int]:
        """Return the first shown index and the one after the last; the turn begins at `start`."""
        if self._far and self._far[1] >= start:  # the gap has been filled
            self._limit = max(self._limit, start - self._far[0])
            self._far = None
        return self._far or (max(0, start - self._limit), start)

    def show_earlier(self) -> None:
        """Show another page of earlier messages."""
        if self._far:
            self._far = (max(0, self._far[0] - MESSAGES_PER_PAGE), self._far[1])
        else:
            self._limit += MESSAGES_PER_PAGE

    def show_later(self) -> None:
        """Show another page of the messages in the gap."""
        if self._far:
            self._far = (self._far[0], self._far[1] + MESSAGES_PER_PAGE)

    def show_around(self, place: int, start: int) -> None:
        """Show the message at index `place`, with some before it."""
        first, end = self.bounds(start)
        if first <= place < end or place >= start:
            return
        if start - place <= NEAR:
            self._limit, self._far = start - place + BEFORE, None
        else:
            self._far = (max(0, place - BEFORE), place + MESSAGES_PER_PAGE - BEFORE)


def _has_ended_calls(message: dict[str, Any]) -> bool:
    return any(is_tool_part(part) and part.get("state") in _ENDED for part in message.get("parts") or ())
