"""Guard litellm's decoders against broken events: an event that is not JSON ends the answer.

litellm's decoders skip an event that is not JSON, or buffer it until the end of the answer. So the answer
would have an unnoticed gap, or be paid for and then discarded.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any


def refuse_broken(decoder: Any) -> None:
    """Make a decoder of litellm raise `json.JSONDecodeError` at a broken event."""
    by_line = "ollama" in type(decoder).__module__
    decoder.streaming_response = (_objects if by_line else _events)(decoder.streaming_response)


async def _objects(lines: Any) -> AsyncGenerator[Any]:
    """Yield lines with one JSON object each."""
    async with contextlib.aclosing(lines):
        async for line in lines:
            _is_whole(_text(line), at_end=True)
            yield line


async def _events(lines: Any) -> AsyncGenerator[Any]:
    """Yield the lines of server-sent events, whose data may span several lines."""
    data = ""
    async with contextlib.aclosing(lines):
        async for line in lines:
            text = _text(line)
            if text.startswith("data:"):
                data += text[5:]
                data = "" if _is_whole(data) else data
            elif not text.strip():
                _is_whole(data, at_end=True)
                data = ""
            yield line


def _text(line: Any) -> str:
    return line.decode("utf-8", "replace") if isinstance(line, bytes) else str(line)


def _is_whole(data: str, *, at_end: bool = False) -> bool:
    """Return whether `data` is complete.

    Raises:
        json.JSONDecodeError: the data is broken.
    """
    data = data.strip()
    if not data or data.startswith("[DONE]"):
        return True
    try:
        json.loads(data)
    except json.JSONDecodeError:
        if at_end:
            raise
        return False
    return True
