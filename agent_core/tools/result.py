"""Encode the results of handlers as JSON text, with their pictures as stored files, so that rows stay small.

Pictures have MCP's form: {"type": "image", "data": base64, "mimeType": "image/png"}, as the whole result, in a
list, or in the list under "content". https://modelcontextprotocol.io/specification/2025-06-18/server/tools
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import decimal
import enum
import hashlib
import json
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import from_json

from agent_core.domain.field_limits import MAX_RESULT_BYTES
from agent_core.domain.messages import ATTACHMENT, StoredFile
from agent_core.domain.validation import clean_json, clean_text
from agent_core.errors import ValidationError
from agent_core.sentences import sentence

MAX_PICTURE_BYTES = 5_000_000
"""Maximum size in bytes of a stored picture of an outcome; providers accept no larger one."""

MAX_PICTURES = 8
"""Maximum number of stored pictures of one outcome."""

_MOST = f"At most {MAX_PICTURES} pictures of {MAX_PICTURE_BYTES:,} bytes are kept."

_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Types that every provider with vision models accepts."""

_MAGIC_BYTES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_URL_SAFE = str.maketrans("-_", "+/")

_NESTING = 200  # number of brackets up to which no reader can find a text nested too deep


def encode_result(value: Any) -> str:
    """Return the value as JSON text.

    Args:
        value: plain JSON and, at any depth: pydantic models, dataclasses, mappings, tuples, sets,
            enums, dates and times (ISO 8601), UUIDs, decimals and paths (as strings).

    Raises:
        ValidationError: the value contains anything else (bytes, NaN, objects, itself), is nested too
            deep, or is longer than MAX_RESULT_BYTES as UTF-8.
    """
    try:
        text = _encoder.encode(value)
        if text.count("[") + text.count("{") > _NESTING:
            from_json(text)
    except RecursionError:
        raise ValidationError(sentence("result_too_deep")) from None
    except (TypeError, ValueError) as error:
        raise ValidationError(sentence("result_not_json", error=str(error))) from error
    text = clean_text(text)
    if "\\u0000" in text:  # an escaped NUL, or a backslash before the digits
        text = _encoder.encode(clean_json(json.loads(text), depth=_NESTING))
    if len(text) * 4 > MAX_RESULT_BYTES and (size := len(text.encode())) > MAX_RESULT_BYTES:
        raise ValidationError(sentence("result_too_long", size=size, most=MAX_RESULT_BYTES))
    return text


def plain_json(value: Any) -> Any:
    """Return the value after a round trip through JSON."""
    if value is None or isinstance(value, bool):
        return value
    return json.loads(encode_result(value))


def _default(value: object) -> Any:
    """Convert a value that the json module does not support."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | decimal.Decimal | pathlib.PurePath):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return list(cast("set[object]", value))
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return list(cast("Sequence[object]", value))
    raise TypeError(
        f"it holds a {type(cast('object', value)).__name__}; use text, numbers, booleans, lists and dicts"
    )


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)


def take_pictures(result: Any) -> tuple[Any, list[StoredFile]]:
    """Return a result with each picture replaced by the URL of its file, and the files to store.

    Invalid, oversized and surplus pictures are replaced by their type, their size and a note of the omission.
    """
    pictures: list[StoredFile] = []
    return _replaced(result, pictures), pictures


def _replaced(value: Any, pictures: list[StoredFile]) -> Any:
    if isinstance(value, list | tuple):
        return [_replaced_block(block, pictures) for block in cast("Sequence[Any]", value)]
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        if isinstance(fields.get("content"), list):
            blocks = cast("list[Any]", fields["content"])
            return {**fields, "content": [_replaced_block(block, pictures) for block in blocks]}
        return _replaced_block(fields, pictures)
    return value


def _replaced_block(block: Any, pictures: list[StoredFile]) -> Any:
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
        return {**rest, "leftOut": "Not a picture."}
    rest["bytes"] = len(found)
    media_type = _type_of(found, str(fields.get("mimeType") or fields.get("mediaType") or ""))
    if media_type not in _TYPES:
        return {**rest, "leftOut": f"Pictures are {', '.join(_TYPES)}."}
    if len(found) > MAX_PICTURE_BYTES or len(pictures) >= MAX_PICTURES:
        return {**rest, "leftOut": _MOST}
    pictures.append(StoredFile(hashlib.sha256(found).hexdigest(), media_type, found))
    return {**rest, "mimeType": media_type, "url": ATTACHMENT + pictures[-1].id}


def is_picture(data: str, named: str) -> bool:
    """Return whether base64 of a declared type is a picture by that type, or by its first bytes."""
    beginning = _decoded(data[:64]) if len(data) > 64 else _decoded(data)
    return named.lower().startswith("image/") or _type_of(beginning or b"", "") in _TYPES


def _decoded(data: str | bytes) -> bytes | None:
    """Return the bytes of a picture in base64 of either alphabet, or in a `data:` URL."""
    if isinstance(data, bytes):
        return data
    if data.startswith("data:"):
        data = data.partition(",")[2]
    text = "".join(data.split()).translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None


def _type_of(data: bytes, named: str) -> str:
    """Return the type of a picture from its first bytes, else the declared one; providers refuse a wrong type."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    declared = named.partition(";")[0].strip().lower()
    return next((kind for beginning, kind in _MAGIC_BYTES if data.startswith(beginning)), declared)
