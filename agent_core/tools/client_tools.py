"""Make tools that the caller of a turn runs itself: the model is offered them, and a call waits for its outcome."""

from __future__ import annotations

import functools
import json
from typing import Any

from agent_core.tools.json_schema import JsonSchema
from agent_core.tools.tool import Tool, check_tool_name


def client_tool(function: dict[str, Any]) -> Tool:
    """Return the tool for a function in OpenAI's form: {"name", "description", "parameters"}.

    Raises:
        ValidationError: the name or the schema of the parameters is invalid.
    """
    return _tool(json.dumps(function, sort_keys=True))


@functools.lru_cache(
    maxsize=512
)  # a step has the tools of the step before it, and a schema takes long to check
def _tool(text: str) -> Tool:
    function: dict[str, Any] = json.loads(text)
    schema: dict[str, Any] = function.get("parameters") or {"type": "object", "properties": {}}
    return Tool(
        name=check_tool_name(function.get("name")),
        description=function.get("description") or "",
        args_model=JsonSchema(schema),
        handler=_never_called,
        kind="client",
    )


def _never_called(**_: Any) -> None:
    """Do nothing: a call waits from its beginning."""
