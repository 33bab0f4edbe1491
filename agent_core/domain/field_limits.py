"""Bounds of what is stored: how long each field may be, and the sentence that refuses what is longer.

Each sentence names the field, its limit and the size that was given, so that whoever sent it knows what
to shorten. Lengths are in characters; those of JSON are of its shortest spelling.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from agent_core.errors import ValidationError
from agent_core.sentences import sentence

MAX_ID: Final = 200
"""The longest id, name of a user, or other name that a program gives."""
MAX_TITLE: Final = 5_000
"""The longest title of a thread or schedule."""
MAX_REASON: Final = 10_000
"""The longest reason that a person gives."""
MAX_ERROR: Final = 100_000
"""The longest error that another system brings for a tool call."""
MAX_METADATA: Final = 2_000_000
"""The longest metadata of a thread, a message or a schedule, as JSON."""
MAX_PARTS: Final = 1_000
"""The most parts of one message."""
MAX_TURN_PARTS: Final = 20_000
"""The most parts of one message of an exported thread: an answer has those of all its model steps."""
MAX_DATA: Final = 1_000_000
"""The longest part that is neither text nor a file, as JSON."""
MAX_MESSAGE: Final = 32_000_000
"""The longest message in all, as JSON."""
MAX_MESSAGES: Final = 5_000
"""The most messages that a thread is created with, or imported with."""
MAX_FILE_BYTES: Final = 18_000_000
"""Bytes of the largest file that can be kept."""
MAX_QUERY: Final = 400
"""The longest search."""
MAX_IDS: Final = 1_000
"""The most calls that one answer decides."""
MAX_COUNT: Final = 1_000_000_000
"""The largest number of things: runs, rows of a page."""
MAX_VALUES: Final = 250_000
"""The most values in a JSON text from outside: while a text is parsed, no other thread of Python runs."""

_QUOTE = ord('"')
_SEPARATORS = (b",", b"[", b"{")
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,\[{]', re.DOTALL)  # a string as a whole, or a separator


def has_too_many_values(text: bytes, most: int = MAX_VALUES) -> bool:
    """Whether a JSON text has more than `most` values, told without parsing it.

    Each value but the first follows a comma or an opening bracket; those within strings do not count. A text
    that is no JSON is looked at no further than a JSON text of that many values would be.
    """
    if sum(map(text.count, _SEPARATORS)) <= most:
        return False
    values = strings = 0
    for token in _TOKENS.finditer(text):
        if text[token.start()] == _QUOTE:
            strings += 1
        else:
            values += 1
        if values > most or strings > 2 * most:
            return True
    return False


def check_text(name: str, value: object, most: int) -> None:
    """Refuse what is no text, or longer than `most` characters; None passes.

    Raises:
        ValidationError: it says the field, the limit and the size.
    """
    if value is None:
        return
    if not isinstance(value, str):
        raise ValidationError(f"{name} is text, not {type(value).__name__}.")
    if len(value) > most:
        raise ValidationError(sentence("text_too_long", name=name, most=most, size=len(value)))


def check_json(name: str, value: Any, most: int) -> None:
    """Refuse plain JSON that is longer than `most` characters.

    Raises:
        ValidationError: as `check_text`.
    """
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if size > most:
        raise ValidationError(
            f"{name} is longer than {most:,} characters of JSON: it has {size:,}. Shorten it."
        )


def check_count(name: str, given: Sequence[Any], most: int) -> None:
    """Refuse a list of more than `most`.

    Raises:
        ValidationError: as `check_text`.
    """
    if len(given) > most:
        raise ValidationError(f"{name} has {len(given):,} entries; the limit is {most:,}. Send fewer.")


def check_number(name: str, value: object) -> None:
    """Refuse what is no whole number from 1 to `MAX_COUNT`; None passes.

    Raises:
        ValidationError: it says what would do.
    """
    if value is not None and (type(value) is not int or not 1 <= value <= MAX_COUNT):
        raise ValidationError(
            f"{name} is a whole number, at least 1 and at most {MAX_COUNT:,}, not {value!r:.40}."
        )
