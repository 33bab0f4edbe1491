"""Read plain JSON whose shape is not known."""

from __future__ import annotations

from typing import Any, cast

Json = dict[str, Any]


def fields_of(value: object) -> Json:
    """Return a JSON object; {} for any other value."""
    return cast(Json, value) if isinstance(value, dict) else {}


def items_of(value: object) -> list[Any]:
    """Return a JSON array; [] for any other value."""
    return cast("list[Any]", value) if isinstance(value, list) else []
