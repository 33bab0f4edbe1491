"""Plain text: its length as a browser counts it, cut to a length, and the titles of threads.

Python counts code points, JavaScript UTF-16 code units; they differ by one for each character beyond
U+FFFF (most emoji). Offsets on the wire are code units, so the browser never has to convert.
"""

from __future__ import annotations

import re

from agent_core.domain.validation import clean_text
from agent_core.text.plain_text import strip_escapes

UNTITLED = "New chat"
_MAX_TITLE = 120
"""A longer title is cut, in characters."""


def units(text: str) -> int:
    """Return the length of `text` in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def from_unit(text: str, offset: int) -> str:
    """Return what follows the first `offset` UTF-16 code units of `text`.

    An offset inside a character counts as before it, so that no half character is ever sent;
    `units(text) - units(from_unit(text, offset))` is the offset that was used.
    """
    if text.isascii():
        return text[offset:]
    tail = text.encode("utf-16-le", "surrogatepass")[2 * offset :]
    if len(tail) >= 2 and 0xDC <= tail[1] <= 0xDF:
        return from_unit(text, offset - 1)
    return tail.decode("utf-16-le", "surrogatepass")


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, with an ellipsis where it was cut."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def thread_title(title: str | None) -> str:
    """Return one line to call a thread by."""
    return one_line(title) or UNTITLED


def one_line(title: str | None) -> str:
    """Return a title on one line, without the escape sequences of terminals; "" if there is none."""
    return clean_text(shorten(" ".join(strip_escapes(title or "").split()), _MAX_TITLE))


def file_name(title: str | None, suffix: str) -> str:
    """Return a file's name from a thread's title that every file system takes."""
    words = re.sub(r"[^\w\- ]+", "", thread_title(title)).strip()[:60].strip()
    return f"{words or 'chat'}.{suffix}"
