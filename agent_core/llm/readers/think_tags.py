"""Parse reasoning in the text of an answer: `<think>…</think>` at its start.

Servers that do not know their model's template leave its tags in the text. Text between tags at
the start of an answer is reasoning; tags anywhere else, such as in a code sample, are text.

DeepSeek-R1, QwQ and others write reasoning without an opening tag, which the model's template put into the
prompt. Until the closing tag arrives, nothing distinguishes such reasoning from an answer. A closing tag that
the answer only mentions stays text: in code, between quotes, in the middle of a sentence, or where an opening
tag is there, too.
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
    "<|channel>thought": "<channel|>",  # Gemma
    # Harmony, of gpt-oss
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}
"""Closing tags by opening tag, in lower case."""

_LONGEST = max(map(len, [*_TAGS, *_TAGS.values()]))
_BEFORE = re.compile(r"^[\s\u200b\u2060\ufeff]+")

_CLOSING = re.compile("|".join(map(re.escape, _TAGS.values())), re.I)
"""Any closing tag."""

TextSlice = tuple[str, str]
"""A kind, "text" or "reasoning", and a text."""

UNOPENED = "unopened"
"""Kind of a slice that reclassifies all text so far as reasoning; that reasoning is the slice's text."""

_MAX_CLOSING_TAGS = 32
"""Maximum closing tags of one answer that are examined; each examination reads all text before the tag."""

_TAG_BEGINS = re.compile("[<◁\\[]")
_LINES = re.compile(r"\r\n|\r|\n")
_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(`{3,}|~{3,})(.*)")
_LIST_MARK = re.compile(r"[ \t>]*(?:[-*+>|]|\d+[.)])?")
_CODE_INDENT = 4
_SENTENCE_ENDS = ".!?…。！？:)）]」』”\"'"
_LEFT_MARKS = "\"'“‘«„「『([{*_~`"
_RIGHT_MARKS = "\"'”’»“」』)]}*_~`"
_PUNCTUATION = ".,;:!?)]}>\"'”’»`。，；：！？）」』"


def after_thoughts(text: str) -> str:
    """Return the text after the last closing tag; some templates put the opening one into the prompt."""
    return _CLOSING.split(text)[-1]


def _openings_of(closing: str) -> tuple[str, ...]:
    """Return the opening tags of a closing tag, which is in lower case."""
    return tuple(opening for opening, other in _TAGS.items() if other == closing)


def _uncertain(text: str, tags: Collection[str] = _TAGS.values()) -> int:
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
        if not start:
            return None
        if _TAG_BEGINS.match(start):
            head = start[:_LONGEST].lower()
            for opening, closing in _TAGS.items():
                if head.startswith(opening):
                    self._closing, self._thought = closing, False
                    self._held = start[len(opening) :]
                    return []
            if any(opening.startswith(head) for opening in _TAGS):
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
        certain = self._held[: len(self._held) - _uncertain(self._held, (self._closing,))].rstrip()
        if not certain:
            return None
        self._held = self._held[len(certain) :]
        self._thought = True
        return [("reasoning", certain)]


class ThoughtParser:
    """Parser that separates reasoning in the text of one answer from the answer itself."""

    def __init__(self) -> None:
        self._marked = ThinkTagParser()
        self._unopened = _UnopenedTagParser()

    @property
    def over(self) -> bool:
        """Whether all further text is text."""
        return self._marked.over and self._unopened.over

    def feed(self, text: str) -> list[TextSlice]:
        """Return the slices of a fragment that are certain."""
        return self._parsed([("text", text)] if self._marked.over else self._marked.feed(text))

    def rule_out(self) -> list[TextSlice]:
        """Return the slices that were held back, after the text so far is known not to be reasoning."""
        return [] if self._unopened.over else self._unopened.end()

    def end(self) -> list[TextSlice]:
        """Return the slices that were held back, at the end of the text."""
        held = [] if self._marked.over else self._parsed(self._marked.end())
        return held + self.rule_out()

    def _parsed(self, pieces: list[TextSlice]) -> list[TextSlice]:
        slices: list[TextSlice] = []
        for kind, text in pieces:
            if kind == "text" and not self._unopened.over:
                slices += self._unopened.feed(text)
            else:
                slices += [*self.rule_out(), (kind, text)]
        return slices


class _UnopenedTagParser:
    """Parser that finds the end of reasoning without an opening tag, for any split into fragments.

    Attributes:
        over: whether the search has ended, so that all further text is text.
    """

    def __init__(self) -> None:
        self.over = False
        self._released: list[str] = []
        self._held = ""  # a possible tag, with the text that decides whether it ends reasoning
        self._examined = 0
        self._found = False  # whether reasoning has ended, so that whitespace before the answer is dropped

    def feed(self, text: str) -> list[TextSlice]:
        """Return the slices of a fragment that are certain."""
        if not (self._held or self._found or self.over or _TAG_BEGINS.search(text)):
            self._released.append(text)  # the common case
            return [("text", text)] if text else []
        self._held += text
        return self._read(ended=False)

    def end(self) -> list[TextSlice]:
        """Return the slices that were held back, at the end of the text."""
        pieces = self._read(ended=True)
        self.over = True
        return pieces

    def _read(self, *, ended: bool) -> list[TextSlice]:
        pieces: list[TextSlice] = []
        while self._held and not self._found and not self.over:
            tag = _CLOSING.search(self._held)
            if tag is None:
                pieces += self._release(len(self._held) - (0 if ended else _uncertain(self._held)))
                break
            said = "".join(self._released) + self._held[: tag.start()]
            ends = _ends_thought(said, tag.group().lower(), self._held[tag.end() :], ended=ended)
            if ends is None:
                pieces += self._release(tag.start())
                break
            if ends:
                self._found, self._held = True, self._held[tag.end() :]
                pieces.append((UNOPENED, said.strip()))
            else:
                pieces += self._release(tag.end())
                self._examined += 1
                self.over = self._examined >= _MAX_CLOSING_TAGS
        if self._found:
            self._held = self._held.lstrip()
            self.over = bool(self._held)
        if self.over and self._held:
            pieces.append(("text", self._held))
            self._held = ""
        return pieces

    def _release(self, size: int) -> list[TextSlice]:
        text, self._held = self._held[:size], self._held[size:]
        self._released.append(text)
        return [("text", text)] if text else []


def _ends_thought(said: str, tag: str, rest: str, *, ended: bool) -> bool | None:
    """Return whether a closing tag makes all text before it reasoning; None: more text is needed.

    `said` is the text before the tag, which is in lower case, and `rest` the known text after it; `ended` says
    whether no more text follows.
    """
    after = rest.lstrip(" \t")
    if not after and not ended:
        return None
    *lines, line = _LINES.split(said)
    if _is_open(lines, line, tag) or line.count("`") % 2:
        return False
    closes_line = not after or after[0] in "\r\n"
    bare = line.rstrip(" \t")
    if not bare:
        return _fits_own_line(line, after, closes_line=closes_line, glued=after == rest)
    if bare[-1] == ">" or _LIST_MARK.fullmatch(bare):
        return False
    if bare != line:
        return closes_line and bare[-1] in _SENTENCE_ENDS
    if closes_line:
        return True
    if after != rest:
        return bare[-1] in _SENTENCE_ENDS
    is_marked = bare[-1] in _LEFT_MARKS and after[0] in _RIGHT_MARKS
    return not is_marked and after[0] not in _PUNCTUATION


def _fits_own_line(line: str, after: str, *, closes_line: bool, glued: bool) -> bool:
    """Return whether a tag at the beginning of a line ends reasoning."""
    if len(line.expandtabs(_CODE_INDENT)) >= _CODE_INDENT:
        return False  # indented code
    return closes_line or (after[0] not in _PUNCTUATION and (glued or not after[0].islower()))


def _is_open(lines: list[str], line: str, tag: str) -> bool:
    """Return whether a code fence, or a tag that `tag` closes, is open after `lines` and a last `line`."""
    openings = _openings_of(tag)
    fence, opened = "", False
    for each in lines:
        if mark := _FENCE.fullmatch(each):
            fence = _fence_after(fence, mark.group(1), mark.group(2))
        elif not fence:
            low = each.lower()
            start = low.lstrip(" \t>").startswith(openings)
            opened = (opened or start) and tag not in low
    low = line.lower()
    return bool(fence) or opened or any(low.count(each) > low.count(f"`{each}`") for each in openings)


def _fence_after(fence: str, mark: str, info: str) -> str:
    """Return the code fence that is open after a line; "" if none is."""
    if not fence:
        return "" if mark[0] == "`" and "`" in info else mark
    closes = mark[0] == fence[0] and len(mark) >= len(fence) and not info.strip()
    return "" if closes else fence
