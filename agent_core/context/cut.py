"""Define cuts, the start of the sent history and the shortened tool outcomes, and plan the one that fits.

Positions count the messages after the system prompt. A history only grows at its end, so a position
means the same at every later step, in any process, and the beginning of requests stays the same
as long as possible, for the caches of providers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

from agent_core.context.token_meter import TokenMeter
from agent_core.domain.model_adapter import ProviderMessage
from agent_core.errors import ModelError
from agent_core.sentences import sentence
from agent_core.support.plain_json import fields_of, items_of

SUMMARY = "Summary of the earlier conversation, which is not shown here in full:\n\n"
"""Text before a summary."""

SHORTEST = 200
"""Minimum length of a shortened outcome, in characters."""

_GROWN = 1.5  # factor by which the limit must exceed that of a cut to drop the cut: the model is a larger one


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut of a history: its dropped messages and shortened outcomes.

    Attributes:
        dropped: number of oldest messages that are not sent; the next message starts a turn.
        shortened: remaining length of an outcome in characters, by position.
        summary: text that is sent in place of the dropped messages; "" for none.
    """

    dropped: int = 0
    shortened: dict[int, int] = field(default_factory=dict[int, int])
    summary: str = ""

    def apply(self, head: list[ProviderMessage], body: list[ProviderMessage]) -> list[ProviderMessage]:
        """Return the messages to send."""
        summary = [summary_message(self.summary)] if self.summary else []
        kept = body[self.dropped :]
        for place, length in self.shortened.items():
            message = kept[place - self.dropped]
            kept[place - self.dropped] = {**message, "content": shorten(message["content"], length)}
        return [*head, *summary, *kept]

    def note(
        self, body: Sequence[ProviderMessage], *, tokens: int, window: int, summarised: bool
    ) -> dict[str, Any]:
        """Return the cut as a note to store in the thread."""
        note: dict[str, Any] = {
            "dropped_messages": self.dropped,
            "dropped_turns": sum(message["role"] == "user" for message in body[: self.dropped]),
            "kept": len(body) - self.dropped,
            "begins_with": fingerprint(body, self.dropped),
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
"""The cut that sends everything."""


def cut_from_note(note: Any, body: Sequence[ProviderMessage]) -> Cut | None:
    """Return the cut of a note; None if the note has no cut that fits this history."""
    note = fields_of(note)
    dropped, summary, pairs = note.get("dropped_messages"), note.get("summary", ""), note.get("shortened", [])
    if not isinstance(dropped, int) or not isinstance(summary, str) or not isinstance(pairs, list):
        return None
    if not 0 <= dropped < max(len(body), 1) or (dropped and not _begins_a_turn(body, dropped)):
        return None
    if note.get("begins_with") != fingerprint(body, dropped):
        return None
    shortened: dict[int, int] = {}
    for pair in items_of(cast(object, pairs)):
        match pair:
            case [int(place), int(length)] if dropped <= place < len(body) and length > 0:
                if body[place]["role"] != "tool" or not isinstance(body[place].get("content"), str):
                    return None
                shortened[place] = length
            case _:
                return None
    return Cut(dropped, shortened, summary)


def still_holds(note: Any, limit: int) -> bool:
    """Return whether a cut still suits the model's limit, rather than a much smaller one."""
    window = fields_of(note).get("window")
    return isinstance(window, int) and limit <= window * _GROWN


def split(messages: list[ProviderMessage]) -> tuple[list[ProviderMessage], list[ProviderMessage]]:
    """Return the system prompt, and the messages after it."""
    place = 0
    while place < len(messages) and messages[place].get("role") == "system":
        place += 1
    return messages[:place], messages[place:]


def turns(body: Sequence[ProviderMessage]) -> list[int]:
    """Return the start of each turn: a person's message, or the system messages just before it."""
    starts: list[int] = []
    for place, message in enumerate(body):
        if message.get("role") == "user":
            while place and body[place - 1].get("role") == "system":
                place -= 1
            starts.append(place)
    return starts if starts and starts[0] == 0 else [0, *starts]


def _begins_a_turn(body: Sequence[ProviderMessage], place: int) -> bool:
    """Return whether a turn starts at a position, without a scan of all messages."""
    while place < len(body) and body[place].get("role") == "system":
        place += 1
    return place < len(body) and body[place].get("role") == "user"


def fingerprint(body: Sequence[ProviderMessage], place: int) -> str:
    """Return a fingerprint of a message, so that a note is not applied to another thread."""
    if place >= len(body):
        return ""
    content: Any = body[place].get("content") or ""
    if not isinstance(content, str):
        content = " ".join(str(part.get("text") or part.get("type")) for part in content)
    described = f"{body[place].get('role')} {len(content)} {content[:1_000]}"
    return hashlib.sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def summary_message(summary: str) -> ProviderMessage:
    """Return the message with a summary."""
    return {"role": "user", "content": SUMMARY + summary}


def shorten(text: str, length: int) -> str:
    """Return the beginning and the end of a text, `length` characters in total, with a note of the omission."""
    if len(text) <= length:
        return text
    end = length // 3
    begin = length - end
    left_out = (
        f"[… {len(text) - length:,} characters are left out: the whole text does not fit the context …]"
    )
    return f"{text[:begin]}\n{left_out}\n{text[len(text) - end :]}"


@dataclass(frozen=True, slots=True)
class Budget:
    """Budget of a request, in tokens.

    Attributes:
        limit: maximum size of a request.
        target: size to which a history over the limit is cut, so that the next cut is far off.
        fixed: size of the system prompt and the tools.
        room: size reserved for a summary.
        model: name of the model, for the error message.
    """

    limit: int
    target: int
    fixed: int
    room: int
    model: str


@dataclass(frozen=True, slots=True)
class CutPlan:
    """A cut that fits.

    Attributes:
        cut: the cut, still with the summary of the previous cut; "" if there is no room for a summary.
        tokens: estimated tokens of the request, including the room for a summary.
        room: tokens that are available for a summary.
    """

    cut: Cut
    tokens: int
    room: int


def plan_cut(meter: TokenMeter, body: list[ProviderMessage], start: Cut, budget: Budget) -> CutPlan:
    """Return the smallest change to the cut `start` that fits; the result is deterministic.

    Only messages that can be sent are counted, so the cost depends on the window, not on the length of the
    thread. Counting is synchronous and may be slow, so it runs in a thread.

    If `start` fits, it stays. Otherwise the oldest turns are dropped until the target is reached.
    The newest turn stays; if that turn alone is too long, its outcomes are shortened, oldest first,
    so that half of the remaining budget is left for older turns.

    Raises:
        ModelError: nothing fits; kind context_window_exceeded.
    """
    starts = sorted({start.dropped, *(place for place in turns(body) if place >= start.dropped)})
    last, room, shortened = starts[-1], budget.room, start.shortened
    sent = _shortened(body, shortened)
    used = budget.fixed + room + sum(meter.message(message) for message in sent[last:])
    if used > budget.limit:
        spare = (budget.target - budget.fixed - room) // 2 if last > start.dropped else 0
        shorter = _shorten_outcomes(meter, body, sent, last, used - budget.target + max(spare, 0))
        shortened = {**shortened, **shorter}
        sent = _shortened(body, shortened)
        used = budget.fixed + room + sum(meter.message(message) for message in sent[last:])
    if used > budget.limit:
        used, room = used - room, 0
    if used > budget.limit:
        raise _too_long(used, budget)
    dropped, tokens = last, used
    for begin, end in reversed(list(pairwise(starts))):
        used += sum(meter.message(message) for message in sent[begin:end])
        if used > budget.limit:
            break
        if used <= budget.target or begin == start.dropped:
            dropped, tokens = begin, used
    kept = {place: length for place, length in shortened.items() if place >= dropped}
    return CutPlan(Cut(dropped, kept, start.summary if room else ""), tokens, room)


def clip(meter: TokenMeter, text: str, tokens: int, shortest: int = SHORTEST) -> int:
    """Return the length to which `shorten` must cut a text to fit into some tokens."""
    length = len(text)
    for _ in range(4):
        size = meter.text(shorten(text, length))
        if size <= tokens or length <= shortest:
            return length
        length = max(shortest, int(length * max(tokens, 0) / size * 0.95))
    return shortest


def _shortened(body: list[ProviderMessage], lengths: dict[int, int]) -> list[ProviderMessage]:
    return Cut(shortened=lengths).apply([], body) if lengths else body


def _shorten_outcomes(
    meter: TokenMeter, body: list[ProviderMessage], sent: list[ProviderMessage], begin: int, excess: int
) -> dict[int, int]:
    """Return the new length of outcomes from `begin` on that saves `excess` tokens, by position."""
    lengths: dict[int, int] = {}
    for place in range(begin, len(body)):
        text, now = body[place].get("content"), sent[place].get("content")
        if excess <= 0:
            break
        if body[place].get("role") != "tool" or not isinstance(text, str) or not isinstance(now, str):
            continue
        size = meter.text(now)
        length = clip(meter, text, size - excess)
        saved = size - meter.text(shorten(text, length))
        if saved > 0:
            lengths[place] = length
            excess -= saved
    return lengths


def _too_long(needed: int, budget: Budget) -> ModelError:
    code = "prompt_exceeds_window" if budget.fixed > budget.limit else "message_exceeds_window"
    words = sentence(code, needed=needed, model=budget.model, limit=budget.limit)
    return ModelError(words, kind="context_window_exceeded")
