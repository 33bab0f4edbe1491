"""Merge the fragments of OpenRouter's reasoning details by index, to send them back.

https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_GROWING = ("text", "summary", "data")
"""Keys whose fragments are joined; for other keys the newest value that is not null counts."""


class Details:
    """Reasoning details of an answer; `newest` has the readable texts of the last fragments."""

    def __init__(self) -> None:
        self._open: list[dict[str, Any]] = []
        self.newest: list[str] = []

    def add(self, details: list[Any]) -> None:
        """Add the details of one delta."""
        self.newest = []
        for detail in details:
            if not isinstance(detail, Mapping):
                continue
            fields = dict(cast("Mapping[str, Any]", detail))
            text = fields.get("text") or fields.get("summary")
            if isinstance(text, str):
                self.newest.append(text)
            known = self._known(fields)
            if known is None:
                self._open.append(fields)
            else:
                _join(known, fields)

    def _known(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the detail that a fragment continues, which has the same index and type."""
        for known in reversed(self._open):
            if (known.get("index"), known.get("type")) == (fields.get("index"), fields.get("type")):
                return None if _is_other(known, fields) else known
        return None

    def of_reasoning(self) -> list[dict[str, Any]]:
        """Return the details so far, and reset them."""
        found, self._open = self._open, []
        return found

    def of_call(self) -> list[dict[str, Any]] | None:
        """Return the details of a call: all of them if they have no text."""
        if not self._open or any(detail.get("text") or detail.get("summary") for detail in self._open):
            return None
        return self.of_reasoning()


def _is_other(known: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Return whether two details with the same index are distinct: encrypted ones are never split."""
    if known.get("id") and fields.get("id") and known["id"] != fields["id"]:
        return True
    return bool(known.get("data") and fields.get("data") and not fields.get("text"))


def _join(known: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for key, value in fields.items():
        before = known.get(key)
        grows = key in _GROWING or (key == "signature" and not str(value).startswith(str(before)))
        if grows and isinstance(before, str) and isinstance(value, str):
            known[key] = before + value
        elif value is not None:
            known[key] = value
