"""One tab's reading of one thread: updates in, rows and pieces of text out. Knows nothing of Reflex."""

from __future__ import annotations

import time
from collections.abc import Iterable
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
"""How many messages are shown at once, and how many more when the page is asked for more."""
BEFORE = 10
"""How many messages before one that a link leads to are shown with it."""
NEAR = 120
"""A link so many messages back shows all of them; from farther back it shows a page, and a gap."""

_ENDED = ("output-available", "output-error")
"""States of a tool call that ran and is over."""


@dataclass(frozen=True)
class TextSlice:
    """A slice of the text that is being written: `chunk` begins at `offset` (UTF-16 units) of `run`."""

    run: str = ""
    offset: int = 0
    chunk: str = ""


class Follower:
    """Folds the updates of `subscribe` and says what the page has to show.

    The turn under way (the last prompt and everything after it) is kept apart from the history, so
    that what changes ten times a second is small. The text part at the end of a running turn leaves
    through `piece`, never through the rows.

    The times of tools are in the thread's timeline; `untimed` says for which answers `know` needs them,
    which are never more than the page shows.

    Args:
        whole: all messages are shown, long ones too: for who cannot ask for more.

    Attributes:
        async_tools: names of the tools that wait for an outcome from outside.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.async_tools: set[str] = set()
        self._view = ThreadView()
        self._runs: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._took: dict[str, tuple[float, int]] = {}
        self._waits: dict[str, float] = {}
        self._seq = 0
        self._live: tuple[str, str] | None = None  # key and text of the part that is being written
        self._writes: tuple[str, Any] | None = None  # type and id of the deltas that go into it
        self._messages: list[dict[str, Any]] = []
        self._queued: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}
        self._more: dict[str, int] = {}
        self._window = MessageWindow()
        self._whole = whole
        self.resuming = False
        self.rows_changed = False
        self._timed: set[str] = set()  # answers whose calls' times are known

    @property
    def thread(self) -> dict[str, Any]:
        """The thread as plain JSON."""
        return self._view.thread

    @property
    def deleted(self) -> bool:
        """Whether the thread is gone."""
        return self._view.deleted

    @property
    def ended(self) -> str:
        """Why the last answer ended before its end: a provider's reason, or the kind of an error; else ""."""
        if self.thread.get("status") == "failed":
            return str(self.thread.get("error_kind") or "")
        last = self._messages[-1] if self._messages else {}
        part = (last.get("parts") or [{}])[-1]
        if part.get("type") != FINISH or self.thread.get("status") != "completed":
            return ""
        return str((part.get("data") or {}).get("reason") or "")

    @property
    def answer_id(self) -> str:
        """The id of the answer at the end; "" while there is none."""
        last = self._messages[-1] if self._messages else {}
        return str(last.get("id")) if last.get("role") == "assistant" else ""

    @property
    def live_text(self) -> str:
        """The text that is being written, as far as it is known."""
        return clean_text(self._live[1]) if self._live else ""

    def apply(self, update: Update) -> None:
        """Take in one update; `rows_changed` says whether it was more than another piece of text."""
        self._view.apply(update)
        self.rows_changed = not self._goes_on(update)
        if self._live and not self.rows_changed:
            self._live = (self._live[0], self._live[1] + "".join(chunk["delta"] for chunk in update.chunks))
            return
        self._watch(update)
        if update.type == "snapshot":
            self._sent.clear()
            self._places.clear()
            # A later attempt has claimed the step, and shows no text of its own yet.
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

    def _goes_on(self, update: Update) -> bool:
        """Whether an update only lengthens the live text: nine of ten do, and no row need be made again."""
        if not self._live or self.resuming or update.type != "chunks" or update.seq != self._seq:
            return False
        return all(
            (chunk.get("type"), chunk.get("id")) == self._writes and isinstance(chunk.get("delta"), str)
            for chunk in update.chunks
        )

    def _sort(self, messages: list[dict[str, Any]]) -> None:
        """Put queued messages aside; one that is taken up comes after what was there before."""
        self._queued = [message for message in messages if message["metadata"].get("queued")]
        asked = [message for message in messages if not message["metadata"].get("queued")]
        for message in asked:
            self._places.setdefault(message["id"], len(self._places))
        self._messages = sorted(asked, key=lambda message: self._places[message["id"]])

    def _watch(self, update: Update) -> None:
        """Note which deltas are being written, how long a tool waits, and that one has ended."""
        for chunk in update.chunks:
            kind = str(chunk.get("type"))
            if kind in ("text-delta", "reasoning-delta"):
                self._writes = (kind, chunk.get("id"))
            elif kind == "data-tool-run" and (until := (chunk.get("data") or {}).get("next_at")):
                self._waits[str(chunk.get("id"))] = max(0.0, float(until) - time.time())
            elif kind in ("tool-output-available", "tool-output-error"):
                self._timed.discard(update.message_id or "")

    def untimed(self) -> list[str]:
        """The ids of the answers that are shown and whose tools took it is not known how long."""
        start = self._turn_start()
        first, end = self._window.of(start)
        shown = (*self._messages[first:end], *self._messages[start:])
        return [each["id"] for each in shown if each["id"] not in self._timed and _has_ended_calls(each)]

    def know(self, answers: Iterable[str], spans: Iterable[Span]) -> None:
        """Take over from the timeline of these answers how long each call ran, and at which attempt it ended."""
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
        """The newest messages before the turn under way, or those around one that a link leads to."""
        start = self._turn_start()
        first, end = (0, start) if self._whole else self._window.of(start)
        return [self._row(message) for message in self._messages[first:end]]

    def has_earlier(self) -> bool:
        """Whether there are messages before those of `history`."""
        return self._window.of(self._turn_start())[0] > 0

    def left_out(self) -> int:
        """How many messages between those of `history` and the turn are not shown."""
        start = self._turn_start()
        return start - self._window.of(start)[1]

    def turn(self) -> list[MessageView]:
        """The last prompt and everything after it."""
        return [self._row(message) for message in self._messages[self._turn_start() :]]

    def queued(self) -> list[MessageView]:
        """What the person has written meanwhile and the agent has not been asked yet."""
        return [self._row(message) for message in self._queued]

    def more_of(self, message_id: str) -> None:
        """Show more of a long prompt."""
        self._more[message_id] = self._more.get(message_id, 0) + 1

    def more(self) -> None:
        """Hold another page of earlier messages."""
        self._window.earlier()

    def fill(self) -> None:
        """Hold another page of those that are left out."""
        self._window.later()

    def reach(self, message_id: str) -> None:
        """Hold this message with some around it, however long ago it was."""
        place = next((n for n, message in enumerate(self._messages) if message["id"] == message_id), None)
        if place is not None:
            self._window.reach(place, self._turn_start())

    def known(self) -> list[str]:
        """The ids of the newest messages of the person, which have arrived."""
        messages = [*self._messages[-12:], *self._queued]
        return [message["id"] for message in messages if message["role"] == "user"]

    def piece(self) -> TextSlice | None:
        """What of the live text the page has not been sent; None when there is none."""
        if not self._live:
            return None
        run, text = self._runs[self._live[0]], clean_text(self._live[1])
        sent = self._sent.get(run, "")
        if not text.startswith(sent):
            sent = ""
        self._sent = {run: text}
        return TextSlice(run, units(sent), text[len(sent) :])

    def piece_from(self, run: str, have: int) -> TextSlice | None:
        """What follows the first `have` UTF-16 units of `run`, for a page that missed something."""
        text = self._sent.get(run)
        if text is None:
            return None
        chunk = from_unit(text, have)
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
            more=None if self._whole else self._more,
            votes=self.thread.get("metadata") or {},
        )
        return message_view(message, context)

    def _live_part(self) -> tuple[str, str] | None:
        """The key and text of the part that is being written, if the turn ends with one."""
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
    """The part of the messages that is shown, as places in the list of all.

    A page with thousands of messages takes a browser many seconds; so a link to an old message shows
    the messages around it and the turn under way, and a gap between them that can be filled.
    """

    def __init__(self) -> None:
        self._limit = MESSAGES_PER_PAGE
        self._far: tuple[int, int] | None = None

    def of(self, start: int) -> tuple[int, int]:
        """Return the first place that is shown and the one after the last; the turn begins at `start`."""
        if self._far and self._far[1] >= start:  # the gap is filled
            self._limit = max(self._limit, start - self._far[0])
            self._far = None
        return self._far or (max(0, start - self._limit), start)

    def earlier(self) -> None:
        """Show another page of earlier messages."""
        if self._far:
            self._far = (max(0, self._far[0] - MESSAGES_PER_PAGE), self._far[1])
        else:
            self._limit += MESSAGES_PER_PAGE

    def later(self) -> None:
        """Show another page of those in the gap."""
        if self._far:
            self._far = (self._far[0], self._far[1] + MESSAGES_PER_PAGE)

    def reach(self, place: int, start: int) -> None:
        """Show the message at `place`, with some before it."""
        first, end = self.of(start)
        if first <= place < end or place >= start:
            return
        if start - place <= NEAR:
            self._limit, self._far = start - place + BEFORE, None
        else:
            self._far = (max(0, place - BEFORE), place + MESSAGES_PER_PAGE - BEFORE)


def _has_ended_calls(message: dict[str, Any]) -> bool:
    return any(is_tool_part(part) and part.get("state") in _ENDED for part in message.get("parts") or ())
