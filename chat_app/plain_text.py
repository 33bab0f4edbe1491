"""Plain text: its length in UTF-16 code units, its shortening, and the titles of threads.

Python counts code points, JavaScript UTF-16 code units: a character beyond U+FFFF (most emoji) counts as two.
Offsets on the wire are in code units, so the browser never converts them.
"""

from __future__ import annotations

import re

from agent_core.domain.validation import clean_text
from agent_core.text.plain_text import strip_escapes

UNTITLED = "New chat"
_MAX_TITLE = 120
"""Maximum length of a title in characters; a longer one is cut."""


def units(text: str) -> int:
    """Return the length of `text` in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def from_unit(text: str, offset: int) -> str:
    """Return `text` after its first `offset` UTF-16 code units.

    An offset inside a character moves to the start of the character, so half a character is never sent;
    `units(text) - units(from_unit(text, offset))` is the offset that was used.
    """
    if text.isascii():
        return text[offset:]
    tail = text.encode("utf-16-le", "surrogatepass")[2 * offset :]
    if len(tail) >= 2 and 0xDC <= tail[1] <= 0xDF:
        return from_unit(text, offset - 1)
    return tail.decode("utf-16-le", "surrogatepass")


def shorten(text: str, limit: int) -> str:
    """Cut `text` to at most `limit` characters, with an ellipsis at the cut."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def thread_title(title: str | None) -> str:
    """Return the title of a thread on one line, or "New chat" if it has none."""
    return one_line(title) or UNTITLED


def one_line(title: str | None) -> str:
    """Return a title on one line, without terminal escape sequences; "" if there is none."""
    return clean_text(shorten(" ".join(strip_escapes(title or "").split()), _MAX_TITLE))


def file_name(title: str | None, suffix: str) -> str:
    """Return a file name for a thread's title that is valid on every file system."""
    words = re.sub(r"[^\w\- ]+", "", thread_title(title)).strip()[:60].strip()
    return f"{words or 'chat'}.{suffix}"
