"""Limit the size of stored fields.

Each error names the field, its limit and the given size. Lengths are in characters; JSON is measured in its
compact form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from agent_core.errors import ValidationError
from agent_core.sentences import sentence

MAX_ID: Final = 200
"""Maximum length of an id, a user's name, or another name given by a program."""
MAX_TITLE: Final = 5_000
"""Maximum length of the title of a thread or schedule."""
MAX_PROMPT_CHARS: Final = 4_000_000
"""Maximum length of a prompt; above any model's context window."""
MAX_RESULT_BYTES: Final = 1 << 20
"""Maximum size of a tool result in bytes of JSON."""
MAX_REASON: Final = 10_000
"""Maximum length of a reason given by a person."""
MAX_ERROR: Final = 100_000
"""Maximum length of an error that another system reports for a tool call."""
MAX_METADATA: Final = 2_000_000
"""Maximum length of the metadata of a thread, a message or a schedule, as JSON."""
MAX_PARTS: Final = 1_000
"""Maximum number of parts of one message."""
MAX_TURN_PARTS: Final = 20_000
"""Maximum number of parts of one message of an exported thread: an answer has those of all its model steps."""
MAX_DATA: Final = 1_000_000
"""Maximum length of a part that is neither text nor a file, as JSON."""
MAX_MESSAGE: Final = 32_000_000
"""Maximum length of a whole message, as JSON."""
MAX_MESSAGES: Final = 5_000
"""Maximum number of messages that a thread is created or imported with."""
MAX_FILE_BYTES: Final = 18_000_000
"""Maximum size of a stored file in bytes."""
MAX_QUERY: Final = 400
"""Maximum length of a search query."""
MAX_IDS: Final = 1_000
"""Maximum number of tool calls decided in one request."""
_MAX_COUNT: Final = 1_000_000_000
"""Maximum of a count, such as the runs of a schedule or the rows of a page."""
MAX_VALUES: Final = 250_000
"""Maximum number of values in JSON from outside: parsing holds the GIL."""

_QUOTE = ord('"')
_SEPARATORS = (b",", b"[", b"{")
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,\[{]', re.DOTALL)  # a string as a whole, or a separator


def has_too_many_values(text: bytes, most: int = MAX_VALUES) -> bool:
    """Return whether a JSON text has more than `most` values, without parsing it.

    Each value but the first follows a comma or an opening bracket; those within strings do not count. Text
    that is not JSON is scanned no further than JSON with that many values would be.
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
    """Check that a value is text of at most `most` characters, or None.

    Raises:
        ValidationError: the value is not text, or too long; the message has the field, the limit and the size.
    """
    if value is None:
        return
    if not isinstance(value, str):
        raise ValidationError(f"{name} is text, not {type(value).__name__}.")
    if len(value) > most:
        raise ValidationError(sentence("text_too_long", name=name, most=most, size=len(value)))


def check_json(name: str, value: Any, most: int) -> None:
    """Check that plain JSON has at most `most` characters.

    Raises:
        ValidationError: the JSON is too long.
    """
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if size > most:
        raise ValidationError(
            f"{name} is longer than {most:,} characters of JSON: it has {size:,}. Shorten it."
        )


def check_count(name: str, given: Sequence[Any], most: int) -> None:
    """Check that a list has at most `most` entries.

    Raises:
        ValidationError: the list is too long.
    """
    if len(given) > most:
        raise ValidationError(f"{name} has {len(given):,} entries; the limit is {most:,}. Send fewer.")


def check_number(name: str, value: object) -> None:
    """Check that a value is a whole number from 1 to `_MAX_COUNT`, or None.

    Raises:
        ValidationError: the value is not such a number.
    """
    if value is not None and (type(value) is not int or not 1 <= value <= _MAX_COUNT):
        raise ValidationError(
            f"{name} is a whole number, at least 1 and at most {_MAX_COUNT:,}, not {value!r:.40}."
        )
