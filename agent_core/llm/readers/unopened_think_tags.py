"""Parse reasoning without an opening tag, which the model's template put into the prompt.

DeepSeek-R1, QwQ and others write so where their server has no reasoning parser. Until that tag comes nothing
tells such a thought from an answer. What is written about the tag in an answer stays text: in code, between
quotes, in the middle of a sentence, or where an opening tag is there, too.
"""

from __future__ import annotations

import re

from agent_core.llm.readers.think_tags import CLOSING, TextSlice, ThinkTagParser, openings_of, uncertain

UNOPENED = "unopened"
"""Kind of a piece that says: all text so far was a thought, which is the piece's text."""

_MOST_LOOKS = 32
"""Closing tags of one answer that are looked at; each costs a look at all of the text before it."""
_TAG_BEGINS = re.compile("[<◁\\[]")
_LINES = re.compile(r"\r\n|\r|\n")
_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(`{3,}|~{3,})(.*)")
_LIST_MARK = re.compile(r"[ \t>]*(?:[-*+>|]|\d+[.)])?")
_CODE_INDENT = 4
_SENTENCE_ENDS = ".!?…。！？:)）]」』”\"'"
_LEFT_MARKS = "\"'“‘«„「『([{*_~`"
_RIGHT_MARKS = "\"'”’»“」』)]}*_~`"
_PUNCTUATION = ".,;:!?)]}>\"'”’»`。，；：！？）」』"


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
        """Return what a fragment says, as far as that is certain."""
        return self._told([("text", text)] if self._marked.over else self._marked.feed(text))

    def rule_out(self) -> list[TextSlice]:
        """Return the slices that were held back, after the text so far is known not to be reasoning."""
        return [] if self._unopened.over else self._unopened.end()

    def end(self) -> list[TextSlice]:
        """Return the slices that were held back, at the end of the text."""
        held = [] if self._marked.over else self._told(self._marked.end())
        return held + self.rule_out()

    def _told(self, pieces: list[TextSlice]) -> list[TextSlice]:
        told: list[TextSlice] = []
        for kind, text in pieces:
            if kind == "text" and not self._unopened.over:
                told += self._unopened.feed(text)
            else:
                told += [*self.rule_out(), (kind, text)]
        return told


class _UnopenedTagParser:
    """Parser that finds the end of reasoning without an opening tag, for any split into fragments.

    Attributes:
        over: whether the search has ended, so that all further text is text.
    """

    def __init__(self) -> None:
        self.over = False
        self._said: list[str] = []
        self._held = ""  # what may turn out to be a tag, with what tells whether it ends a thought
        self._looks = 0
        self._found = False  # whether reasoning has ended, so that whitespace before the answer is dropped

    def feed(self, text: str) -> list[TextSlice]:
        """Return what a fragment says, as far as that is certain."""
        if not (self._held or self._found or self.over or _TAG_BEGINS.search(text)):
            self._said.append(text)  # the common case
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
            tag = CLOSING.search(self._held)
            if tag is None:
                pieces += self._say(len(self._held) - (0 if ended else uncertain(self._held)))
                break
            said = "".join(self._said) + self._held[: tag.start()]
            ends = _ends_thought(said, tag.group().lower(), self._held[tag.end() :], ended=ended)
            if ends is None:
                pieces += self._say(tag.start())
                break
            if ends:
                self._found, self._held = True, self._held[tag.end() :]
                pieces.append((UNOPENED, said.strip()))
            else:
                pieces += self._say(tag.end())
                self._looks += 1
                self.over = self._looks >= _MOST_LOOKS
        if self._found:
            self._held = self._held.lstrip()
            self.over = bool(self._held)
        if self.over and self._held:
            pieces.append(("text", self._held))
            self._held = ""
        return pieces

    def _say(self, size: int) -> list[TextSlice]:
        text, self._held = self._held[:size], self._held[size:]
        self._said.append(text)
        return [("text", text)] if text else []


def _ends_thought(said: str, tag: str, rest: str, *, ended: bool) -> bool | None:
    """Return whether a closing tag makes all text before it reasoning; None: more text is needed.

    Args:
        said: the text before it.
        tag: the tag, in lower case.
        rest: the known text after it.
        ended: whether no more text follows.
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
    """Return whether a code fence, or a tag that this tag closes, is open at the end of a text.

    Args:
        lines: of the text, but for
        line: its last one.
        tag: the closing tag.
    """
    openings = openings_of(tag)
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
