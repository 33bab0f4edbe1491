"""Make tools that the caller of a turn runs itself: the model is offered them, and a call waits for its outcome."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from agent_core.tools.json_schema import JsonSchema
from agent_core.tools.tool import Tool, check_tool_name

_MOST_KNOWN = 4_096
_EMPTY: dict[str, Any] = {"type": "object", "properties": {}}
_known: dict[str, None] = {}
"""Hashes of the newest functions that were checked: a client sends them with each request, and a check is slow."""


def check_function(function: dict[str, Any]) -> None:
    """Check a function in OpenAI's form: {"name", "description", "parameters"}; 7 ms for each KB at the first time.

    Raises:
        ValidationError: the name or the schema of the parameters is invalid.
    """
    digest = hashlib.sha256(json.dumps(function, sort_keys=True).encode()).hexdigest()
    if digest in _known:
        return
    check_tool_name(function.get("name"))
    JsonSchema(function.get("parameters") or _EMPTY)
    _known[digest] = None
    for oldest in [*_known][:-_MOST_KNOWN]:
        _known.pop(oldest, None)


def client_tool(function: dict[str, Any]) -> Tool:
    """Return the tool for a function that was checked."""
    return Tool(
        name=function["name"],
        description=function.get("description") or "",
        args_model=JsonSchema.unchecked(function.get("parameters") or _EMPTY),
        handler=_never_called,
        kind="client",
    )


def _never_called(**_: Any) -> None:
    """Do nothing: a call waits from its beginning."""
