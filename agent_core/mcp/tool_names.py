"""Map the names of a server's tools to names that every provider accepts."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from agent_core.tools import TOOL_NAME

_MAX_NAME = 64
_REFUSED = re.compile(r"[^A-Za-z0-9_-]")


def tool_names(names: Iterable[str], prefix: str | None = None) -> dict[str, str]:
    """Return the name of each tool for providers, by its name on the server.

    Valid names stay unchanged. In other names invalid characters become `_`. If that results in a
    duplicate, or in more than 64 characters, a few digits of the hash of the server's name are appended;
    the result does not depend on the order of the tools.

    Args:
        names: names on the server.
        prefix: prefix of each name, followed by `_`.
    """
    wanted = {name: f"{prefix}_{name}" if prefix else name for name in dict.fromkeys(names)}
    plain = {name: _REFUSED.sub("_", long) for name, long in wanted.items()}
    exact = {long for long in wanted.values() if TOOL_NAME.fullmatch(long)}
    taken = Counter(plain.values())
    return {
        name: long
        if long in exact
        else _hashed(short, name)
        if len(short) > _MAX_NAME or taken[short] > 1 or not short
        else short
        for (name, long), short in zip(wanted.items(), plain.values(), strict=True)
    }


def _hashed(short: str, name: str) -> str:
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{short[: _MAX_NAME - len(digits) - 1]}_{digits}"
