"""The lines of a response on their way to litellm's decoder: what is no JSON ends the answer there.

litellm's decoders pass over an event that is no JSON, or wait for its rest until the provider has said
everything. So the answer would have a hole that nobody sees, or be paid for to its end and thrown away.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any


def refuse_broken(decoder: Any) -> None:
    """Let `decoder`, one of litellm's, raise `json.JSONDecodeError` where an event is broken."""
    by_line = "ollama" in type(decoder).__module__
    decoder.streaming_response = (_objects if by_line else _events)(decoder.streaming_response)


async def _objects(lines: Any) -> AsyncGenerator[Any]:
    """Pass on a JSON object a line."""
    async with contextlib.aclosing(lines):
        async for line in lines:
            _is_whole(_text(line), at_end=True)
            yield line


async def _events(lines: Any) -> AsyncGenerator[Any]:
    """Pass on server-sent events, whose data may stand in several lines."""
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
    """Return whether there is nothing more to come of `data`.

    Raises:
        json.JSONDecodeError: nothing more comes, and it is not whole.
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
