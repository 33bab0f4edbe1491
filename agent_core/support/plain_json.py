"""Convert values to plain JSON, and read JSON whose shape is not known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any, ClassVar, cast

Json = dict[str, Any]


class JsonValue:
    """Base of dataclasses with a JSON form."""

    __slots__ = ()
    _hidden: ClassVar[frozenset[str]] = frozenset()  # fields that are not in the JSON form

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON, moments as ISO 8601 strings."""
        names = [each.name for each in fields(cast(Any, self)) if each.name not in self._hidden]
        return {name: as_json(getattr(self, name)) for name in names}


def as_json(value: Any) -> Any:
    """Return a value as plain JSON, recursively: `to_dict` of objects, moments as ISO 8601 strings."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, date):  # or a datetime
        return value.isoformat()
    if isinstance(value, Mapping):
        return {as_json(key): as_json(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in cast("list[Any]", value)]
    return value


def dump_json(value: Any) -> str:
    """Return a value as compact JSON text; see `as_json`."""
    return json.dumps(as_json(value), ensure_ascii=False, separators=(",", ":"))


def is_finite(value: Any) -> bool:
    """Return whether a float holds a number; it holds neither infinity, NaN nor whole numbers beyond 10 ** 308."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def fields_of(value: object) -> Json:
    """Return a JSON object; {} for any other value."""
    return cast(Json, value) if isinstance(value, dict) else {}


def items_of(value: object) -> list[Any]:
    """Return a JSON array; [] for any other value."""
    return cast("list[Any]", value) if isinstance(value, list) else []
