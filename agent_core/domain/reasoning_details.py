"""Join the fragments of OpenRouter's reasoning details, which are sent back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_GROWING = ("text", "summary", "data")
"""Keys of details whose fragments are joined; of other keys the newest value counts."""


def add_detail(details: list[Json], fragment: Mapping[str, Any]) -> None:
    """Add a fragment to the detail that it continues, which has the same index and type, or as a new one.

    https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
    """
    for place, known in reversed([*enumerate(details)]):
        if (known.get("index"), known.get("type")) == (fragment.get("index"), fragment.get("type")):
            if not _is_other_detail(known, fragment):
                details[place] = _joined_detail(known, fragment)
                return
            break
    details.append(dict(fragment))


def _is_other_detail(known: Json, fragment: Mapping[str, Any]) -> bool:
    """Return whether two details with the same index are distinct: encrypted ones are never split."""
    if known.get("id") and fragment.get("id") and known["id"] != fragment["id"]:
        return True
    return bool(known.get("data") and fragment.get("data") and not fragment.get("text"))


def _joined_detail(known: Json, fragment: Mapping[str, Any]) -> Json:
    joined = dict(known)
    for key, value in fragment.items():
        before = known.get(key)
        grows = key in _GROWING or (key == "signature" and not str(value).startswith(str(before)))
        if grows and isinstance(before, str) and isinstance(value, str):
            joined[key] = before + value
        elif value is not None:
            joined[key] = value
    return joined
