"""Parse reasoning in the text of an answer: `<think>…</think>` at its start.

Servers that do not know their model's template leave its tags in the text. Text between tags at
the start of an answer is reasoning; tags anywhere else, such as in a code sample, are text.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_NAMES = (
    *("think", "thinking", "reasoning", "reason", "thought", "thoughts", "reflection", "scratchpad"),
    *("seed:think", "antthinking", "ant-thinking"),
)
_TAGS = {
    **{f"<{name}>": f"</{name}>" for name in _NAMES},
    "[think]": "[/think]",  # Magistral
    "◁think▷": "◁/think▷",  # Kimi
    "<|start_thinking|>": "<|end_thinking|>",  # Command
    "<|begin_of_thought|>": "<|end_of_thought|>",
}
"""Closing tags by opening tag, in lower case."""

_LONGEST = max(map(len, _TAGS))
_BEFORE = re.compile(r"^[\s\u200b\u2060\ufeff]+")

CLOSING = re.compile("|".join(map(re.escape, _TAGS.values())), re.I)
"""Any closing tag."""

TextSlice = tuple[str, str]
"""A kind, "text" or "reasoning", and a text."""


def after_thoughts(text: str) -> str:
    """Return the text after the last closing tag; some templates put the opening one into the prompt."""
    return CLOSING.split(text)[-1]


def openings_of(closing: str) -> tuple[str, ...]:
    """Return the opening tags of a closing tag, which is in lower case."""
    return tuple(opening for opening, other in _TAGS.items() if other == closing)


def uncertain(text: str, tags: Collection[str] = _TAGS.values()) -> int:
    """Return the length of the suffix that may be the beginning of a tag, by default of a closing one."""
    tail = text[-_LONGEST:].lower()
    sizes = range(min(_LONGEST, len(tail)), 0, -1)
    return next((size for size in sizes if any(tag.startswith(tail[-size:]) for tag in tags)), 0)


class ThinkTagParser:
    """Parser that separates reasoning at the start of an answer from its text, for any split into fragments.

    Attributes:
        over: whether the answer itself has begun, so that all further text is text.
    """

    def __init__(self) -> None:
        self.over = False
        self._held: str = ""  # a possible tag, or whitespace beside one
        self._closing: str = ""  # the closing tag of the open reasoning; "": none is open
        self._closed = False  # whether reasoning has ended, so that whitespace before the answer is dropped
        self._thought = False  # whether the open reasoning has text

    def feed(self, text: str) -> list[TextSlice]:
        """Return the slices of a fragment that are certain."""
        self._held += text
        pieces: list[TextSlice] = []
        while self._held and not self.over:
            step = self._think() if self._closing else self._begin()
            if step is None:
                break
            pieces += step
        if self.over and self._held:
            pieces.append(("text", self._held))
            self._held = ""
        return pieces

    def end(self) -> list[TextSlice]:
        """Return the slices that were held back, at the end of the answer."""
        held, self._held = self._held, ""
        if self._closing:
            return [("reasoning", held.rstrip())] if held.strip() else []
        return [("text", held)] if held and not (self._closed and not held.strip()) else []

    def _begin(self) -> list[TextSlice] | None:
        """Look for an opening tag; return None if more text is needed."""
        start = _BEFORE.sub("", self._held)
        head = start[:_LONGEST].lower()
        for opening, closing in _TAGS.items():
            if head.startswith(opening):
                self._closing, self._thought = closing, False
                self._held = start[len(opening) :]
                return []
        if not start or any(opening.startswith(head) for opening in _TAGS):
            return None
        self.over = True
        if self._closed:
            self._held = start
        return []

    def _think(self) -> list[TextSlice] | None:
        """Return the reasoning up to its closing tag, or up to a possible one."""
        if not self._thought:
            self._held = self._held.lstrip()
        if closing := re.search(re.escape(self._closing), self._held, re.I):
            thought = self._held[: closing.start()].rstrip()
            self._held = self._held[closing.end() :]
            self._closing, self._closed = "", True
            return [("reasoning", thought)] if thought else []
        certain = self._held[: len(self._held) - uncertain(self._held, (self._closing,))].rstrip()
        if not certain:
            return None
        self._held = self._held[len(certain) :]
        self._thought = True
        return [("reasoning", certain)]
