"""What a server's tools are called here: by names that every provider takes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from agent_core.tools import TOOL_NAME

_MAX_NAME = 64
_REFUSED = re.compile(r"[^A-Za-z0-9_-]")


def tool_names(names: Iterable[str], prefix: str | None = None) -> dict[str, str]:
    """Return what each of a server's names is called here.

    A name that providers take stays as it is. In any other, what they refuse becomes `_`. Where that
    would give two tools one name, or one of more than 64 characters, a few digits of the server's
    name's hash stand at the end: the same ones whenever and in whichever order the tools are listed.

    Args:
        names: the server's names.
        prefix: stands before each, with a `_` between.
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
