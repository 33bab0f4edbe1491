"""Show a thread's read-only token in its metadata; it is stored in a column of its own.

The column has an index, and a change of the metadata can neither revoke nor create a token.
"""

from __future__ import annotations

from typing import Any

SHARE = "share"
"""The key of the token in a thread's metadata; a fork does not get it."""


def with_token(metadata: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Return metadata with the token, if there is one."""
    shown = without_token(metadata)
    return shown if token is None else shown | {SHARE: token}


def without_token(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without the token, as it is stored."""
    return {key: value for key, value in metadata.items() if key != SHARE}
