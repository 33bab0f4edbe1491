"""Replace the pictures in a tool's result by stored files, so that rows stay small.

The form is MCP's: {"type": "image", "data": base64, "mimeType": "image/png"}, as the whole result, in a
list, or in the list under "content". https://modelcontextprotocol.io/specification/2025-06-18/server/tools
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agent_core.domain.messages import ATTACHMENT

MAX_PICTURE_BYTES = 5_000_000
"""Maximum size in bytes of a stored picture of an outcome; providers accept no larger one."""

MAX_PICTURES = 8
"""Maximum number of stored pictures of one outcome."""

_MOST = f"At most {MAX_PICTURES} pictures of {MAX_PICTURE_BYTES:,} bytes are kept."

_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Types that every provider with vision models accepts."""

_BEGINNINGS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_LETTERS = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its type, its bytes, and their SHA-256."""

    media_type: str
    data: bytes

    @property
    def id(self) -> str:
        """Id of the picture's file."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(slots=True)
class _Taken:
    """A result with URLs in place of its pictures, and the pictures."""

    result: Any
    pictures: list[Picture] = field(default_factory=list[Picture])


def take_pictures(result: Any) -> _Taken:
    """Return a result with each picture replaced by the URL of the file to store.

    Invalid, oversized and surplus pictures are replaced by their type, their size and a note of the omission.
    """
    taken = _Taken(None)
    taken.result = _replaced(result, taken.pictures)
    return taken


def _replaced(value: Any, pictures: list[Picture]) -> Any:
    if isinstance(value, list | tuple):
        return [_replaced_block(block, pictures) for block in cast("Sequence[Any]", value)]
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        if isinstance(fields.get("content"), list):
            blocks = cast("list[Any]", fields["content"])
            return {**fields, "content": [_replaced_block(block, pictures) for block in blocks]}
        return _replaced_block(fields, pictures)
    return value


def _replaced_block(block: Any, pictures: list[Picture]) -> Any:
    if not isinstance(block, Mapping):
        return block
    fields = cast("Mapping[str, Any]", block)
    data = fields.get("data")
    if fields.get("type") != "image" or not isinstance(data, str | bytes):
        return fields
    rest = {key: fields[key] for key in fields if key != "data"}
    if len(data) > MAX_PICTURE_BYTES * 3 // 2:
        return {**rest, "leftOut": _MOST}
    found = _decoded(data)
    if not found:
        return {**rest, "leftOut": "It is no picture."}
    rest["bytes"] = len(found)
    media_type = _type_of(found, str(fields.get("mimeType") or fields.get("mediaType") or ""))
    if media_type not in _TYPES:
        return {**rest, "leftOut": f"Pictures are {', '.join(_TYPES)}."}
    if len(found) > MAX_PICTURE_BYTES or len(pictures) >= MAX_PICTURES:
        return {**rest, "leftOut": _MOST}
    pictures.append(Picture(media_type, found))
    return {**rest, "mimeType": media_type, "url": ATTACHMENT + pictures[-1].id}


def _decoded(data: str | bytes) -> bytes | None:
    """Return the bytes of a picture in base64 of either alphabet, or in a `data:` URL."""
    if isinstance(data, bytes):
        return data
    if data.startswith("data:"):
        data = data.partition(",")[2]
    text = "".join(data.split()).translate(_LETTERS).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None


def _type_of(data: bytes, named: str) -> str:
    """Return the type of a picture from its first bytes, else the declared one; providers refuse a wrong type."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    told = named.partition(";")[0].strip().lower()
    return next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), told)
