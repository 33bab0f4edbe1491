"""Encode the results of handlers as JSON text."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import from_json

from agent_core.domain.validation import clean_json, clean_text
from agent_core.errors import ValidationError
from agent_core.sentences import sentence
from agent_core.support.settings import MAX_RESULT_BYTES

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
