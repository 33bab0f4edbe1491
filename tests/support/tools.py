"""Helpers for the tests of tools: an example tool, and a function that runs any tool."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from agent_core.tools import Tool, ToolContext, action_tool, execute, parse_arguments

CTX = ToolContext("t", "c", "f", user_id="u", attempt=2, idempotency_key="t:c")


class Place(BaseModel):
    """A place on earth."""

    name: str
    title: str = ""


@action_tool(retry=True, timeout=30.0)
async def get_weather(
    location: Annotated[str, Field(min_length=2)],
    ctx: ToolContext,
    unit: Literal["c", "f"] = "c",
    days: int | None = None,
    near: Place | None = None,
) -> dict[str, Any]:
    """Get the weather.

    Today's, unless days are given.

    Args:
        location (str): the city,
            in any language
        unit: Celsius or Fahrenheit

    Returns:
        A dict: sunny.
    """
    return {"location": location, "unit": unit, "days": days, "near": near, "attempt": ctx.attempt}


async def run(tool: Tool, raw: str | dict[str, Any] | None = None, ctx: ToolContext = CTX) -> Any:
    return await execute(tool, parse_arguments(tool, raw), ctx)
