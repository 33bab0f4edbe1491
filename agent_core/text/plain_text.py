"""Reduce text to one plain line for titles, and to a key without accents and capitals for searches."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_READ = 2_000  # characters; a title shows sixty
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # ECMA-48: CSI, as in colours
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and other strings, up to BEL or ST
    r"|\x1b[ -/]*[0-~]?"  # anything else that ESC begins
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_HIDDEN = re.compile("[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]")
"""Invisible characters and marks that reverse the direction of text."""
_LINES = re.compile(
    r"^[ \t]*(?:(?:```|~~~)[^\n]*$|[-*_][ \t]*(?:[-*_][ \t]*){2,}$|={2,}[ \t]*$|(?:#{1,6}|[-*+](?:[ \t]+\[[ xX]\])?|>|\d{1,9}[.)])(?=[ \t])|>+)",
    re.M,
)
_LINKS = re.compile(r"(?:!|(?<!\w))\[([^\[\]\n]*)\]\([^()\s]*(?:[ \t]+\"[^\"\n]*\")?\)")
_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)([^`\n]+)\1(?!`)")
_STARS = re.compile(r"(?<![\w*\\])(\*{1,3})(?![\s*])([^*\n]*[^\s*])\1(?![\w*])")
_STARS_INSIDE = re.compile(
    r"(\*\*)(?![\s*])([^*\n]*[^\s*])\1(?!\*)"
)  # also beside CJK text, which has no blanks
_UNDERSCORES = re.compile(r"(?<![\w_])(_{1,3})(?![\s_])([^_\n]*[^\s_])\1(?![\w_])")
_STRUCK = re.compile(r"(?<!~)~~(?![\s~])([^~\n]*[^\s~])~~(?!~)")
_DUNDER = re.compile(r"\w+")


def strip_escapes(text: str) -> str:
    """Remove the escape sequences of terminals and other control characters; line breaks and tabs stay."""
    return _ESCAPES.sub("", text)


def plain_line(text: str) -> str:
    """Return the beginning of `text` as one line, without escape sequences and Markdown syntax.

    Names and formulas keep their characters: `__init__`, `snake_case`, `2 * 3 * 4`, `a[i](x)` in code.
    """
    words = _LINES.sub("", _HIDDEN.sub("", strip_escapes(text[:_READ])))
    words = _CODE.sub(r"\2", _LINKS.sub(r"\1", words))
    for _ in range(2):  # nested emphasis
        words = _STARS_INSIDE.sub(r"\2", _STARS.sub(r"\2", words))
        words = _STRUCK.sub(r"\1", _UNDERSCORES.sub(_unless_dunder, words))
    return " ".join(words.split())


def _unless_dunder(found: re.Match[str]) -> str:
    marks, inside = found.groups()
    return found[0] if len(marks) == 2 and _DUNDER.fullmatch(inside) else inside


ACCENTS = "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u065f\u0670]"
"""Combining marks that people omit in searches: accents, Hebrew points, Arabic vowels. Marks that distinguish
Japanese か from が, or vowels of Indic scripts, are not included."""
STROKES = ("đħłøŧı", "dhloti")
"""Letters without a Unicode decomposition, and the letters that people type instead."""
_ACCENTS = re.compile(ACCENTS)
_STROKES = str.maketrans(*STROKES)


def search_key(text: str) -> str:
    """Return the form of `text` that searches compare: NFKC, without accents and capitals."""
    if text.isascii():
        return text.lower()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFKC", plain).casefold().translate(_STROKES)


fold = search_key
"""Old name of `search_key`, until the next release."""


def find_folded(text: str, words: Sequence[str]) -> int | None:
    """Return the position of the first of some folded words in `text`; None unless `text` contains all of them."""
    found = search_key(text)
    places = [found.find(word) for word in words]
    if -1 in places:
        return None
    first = min(places, default=0)
    if len(found) == len(text):
        return first
    folded = 0
    for at, character in enumerate(text):
        if folded >= first:
            return at
        folded += len(search_key(character))
    return len(text)
