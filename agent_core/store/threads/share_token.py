"""A thread's read-only token beside its metadata: kept in a column of its own, shown among the rest.

So it is found with one look into an index, and whoever puts other metadata in the place of what was there
neither takes a link away nor makes one of their own.
"""

from __future__ import annotations

from typing import Any

SHARE = "share"
"""The key of a thread's metadata that shows its token; a fork does not get it."""


def with_token(metadata: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Return metadata as it is shown; `token` is None where the thread is not shared."""
    shown = without_token(metadata)
    return shown if token is None else shown | {SHARE: token}


def without_token(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata as it is stored."""
    return {key: value for key, value in metadata.items() if key != SHARE}
