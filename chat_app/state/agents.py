"""What the pages need to know of the agents that answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from agent_core import AgentApi

logger = logging.getLogger(__name__)


async def async_tools(api: AgentApi, thread: Mapping[str, Any]) -> set[str]:
    """Return the names of the tools whose outcome comes from a person or another system.

    Args:
        api: whose runtime knows the thread's agent.
        thread: as plain JSON.
    """
    agent = api.runtime.agents.get(str(thread.get("agent")))
    if agent is None:  # another process has it
        return set()
    try:
        found = await agent.resolve(thread.get("user_id"), str(thread["id"]))
    except Exception:  # a factory of somebody's own; the step will say what is wrong with it
        logger.warning("The agent %s could not be made", agent.name, exc_info=True)
        return set()
    return {name for name, tool in found.tools.items() if tool.kind == "async"}
