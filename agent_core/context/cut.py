"""The cut: where a history begins for the model, and which outcomes of tools are shortened.

Positions count the messages after the system prompt. A history only grows at its end, so a position
means the same at every later step, in any process, and the beginning of what is sent stays the same
for as long as it can: providers cache it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agent_core.context.provider_messages import Provider

SUMMARY = "Summary of the earlier conversation, which is not shown here in full:\n\n"
"""What stands before a summary."""

_GROWN = 1.5  # a limit so much higher than the one of a cut is a larger model's: begin anew


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a history is not sent as it is.

    Attributes:
        dropped: so many of the oldest messages are not sent; the next one begins a turn.
        shortened: how many characters are left of an outcome, by its position.
        summary: what is sent in place of the dropped messages; "" is nothing.
    """

    dropped: int = 0
    shortened: dict[int, int] = field(default_factory=dict[int, int])
    summary: str = ""

    def apply(self, head: list[Provider], body: list[Provider]) -> list[Provider]:
        """Return what is sent."""
        summary = [summary_message(self.summary)] if self.summary else []
        kept = body[self.dropped :]
        for place, length in self.shortened.items():
            message = kept[place - self.dropped]
            kept[place - self.dropped] = {**message, "content": shorten(message["content"], length)}
        return [*head, *summary, *kept]

    def note(self, body: Sequence[Provider], *, tokens: int, window: int, summarised: bool) -> dict[str, Any]:
        """Return the cut in words and numbers, as a thread keeps it."""
        note: dict[str, Any] = {
            "dropped_messages": self.dropped,
            "dropped_turns": sum(message["role"] == "user" for message in body[: self.dropped]),
            "kept": len(body) - self.dropped,
            "begins_with": mark(body, self.dropped),
            "tokens": tokens,
            "window": window,
            "summarised": summarised,
        }
        if self.summary:
            note["summary"] = self.summary
        if self.shortened:
            note["shortened"] = [[place, length] for place, length in sorted(self.shortened.items())]
        return note


NOTHING = Cut()
"""Everything is sent."""


def read(note: Any, body: Sequence[Provider]) -> Cut | None:
    """Return the cut that a note tells of; None: it tells of none that could be this history's."""
    if not isinstance(note, dict):
        return None
    note = cast("dict[str, Any]", note)
    dropped, summary, pairs = note.get("dropped_messages"), note.get("summary", ""), note.get("shortened", [])
    if not isinstance(dropped, int) or not isinstance(summary, str) or not isinstance(pairs, list):
        return None
    if not 0 <= dropped < max(len(body), 1) or (dropped and not _begins_a_turn(body, dropped)):
        return None
    if note.get("begins_with") != mark(body, dropped):
        return None
    shortened: dict[int, int] = {}
    for pair in cast("list[Any]", pairs):
        match pair:
            case [int(place), int(length)] if dropped <= place < len(body) and length > 0:
                if body[place]["role"] != "tool" or not isinstance(body[place].get("content"), str):
                    return None
                shortened[place] = length
            case _:
                return None
    return Cut(dropped, shortened, summary)


def still_holds(note: Any, limit: int) -> bool:
    """Return whether a cut is good for a model of today's limit, or was made for a much smaller one."""
    window = note.get("window") if isinstance(note, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return isinstance(window, int) and limit <= window * _GROWN


def split(messages: list[Provider]) -> tuple[list[Provider], list[Provider]]:
    """Return the system prompt, and what follows it."""
    place = 0
    while place < len(messages) and messages[place].get("role") == "system":
        place += 1
    return messages[:place], messages[place:]


def turns(body: Sequence[Provider]) -> list[int]:
    """Return where each turn begins: at a person's message, or at the system messages just before it."""
    starts: list[int] = []
    for place, message in enumerate(body):
        if message.get("role") == "user":
            while place and body[place - 1].get("role") == "system":
                place -= 1
            starts.append(place)
    return starts if starts and starts[0] == 0 else [0, *starts]


def _begins_a_turn(body: Sequence[Provider], place: int) -> bool:
    """Tell it without a look at every message: a person's message, or system messages and then one."""
    while place < len(body) and body[place].get("role") == "system":
        place += 1
    return place < len(body) and body[place].get("role") == "user"


def mark(body: Sequence[Provider], place: int) -> str:
    """Return what tells a message from others, so that a note is not read in another thread than its own."""
    if place >= len(body):
        return ""
    content: Any = body[place].get("content") or ""
    if not isinstance(content, str):
        content = " ".join(str(part.get("text") or part.get("type")) for part in content)
    told = f"{body[place].get('role')} {len(content)} {content[:1_000]}"
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def summary_message(summary: str) -> Provider:
    """Return the message that brings a summary."""
    return {"role": "user", "content": SUMMARY + summary}


def shorten(text: str, length: int) -> str:
    """Return the beginning and the end of a text, `length` characters in all, and what is missing."""
    if len(text) <= length:
        return text
    end = length // 3
    begin = length - end
    left_out = f"[… {len(text) - length:,} characters are left out, for the whole does not fit the context …]"
    return f"{text[:begin]}\n{left_out}\n{text[len(text) - end :]}"
