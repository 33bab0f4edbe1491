"""Define tools, check the arguments of calls, run handlers, and encode results."""

from agent_core.tools.arguments import parse_arguments
from agent_core.tools.execution import ToolTimeoutError, execute
from agent_core.tools.function_tools import (
    ToolOptions,
    action_tool,
    async_tool,
    create_action_tool,
    create_async_tool,
)
from agent_core.tools.json_schema import JsonSchema
from agent_core.tools.result import encode_result, is_picture, take_pictures
from agent_core.tools.tool import TOOL_NAME, Tool, check_timeout, normalise_tools
from agent_core.tools.tool_context import ToolContext

__all__ = [
    "TOOL_NAME",
    "JsonSchema",
    "Tool",
    "ToolContext",
    "ToolOptions",
    "ToolTimeoutError",
    "action_tool",
    "async_tool",
    "check_timeout",
    "create_action_tool",
    "create_async_tool",
    "encode_result",
    "execute",
    "is_picture",
    "normalise_tools",
    "parse_arguments",
    "take_pictures",
]
