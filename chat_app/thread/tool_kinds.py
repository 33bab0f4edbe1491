"""The agent that answers a thread, and its tools whose outcome comes from outside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from agent_core import Agent, AgentApi
from agent_core.agent import AnyAgent

_log = logging.getLogger(__name__)


async def answering_agent(api: AgentApi, thread: Mapping[str, Any]) -> Agent | None:
    """Return the agent that answers a thread at present; None if this process cannot tell.

    Args:
        api: whose store knows the thread's agent.
        thread: as plain JSON.
    """
    agent: AnyAgent | None = api.store.agents.get(str(thread.get("agent")))
    if agent is None:  # another process has it
        return None
    try:
        return await agent.resolve(thread.get("user_id"), str(thread["id"]))
    except Exception:  # a factory of an extension; the step reports its error
        _log.warning("Agent factory %s failed", agent.name, exc_info=True)
        return None


async def async_tools(api: AgentApi, thread: Mapping[str, Any]) -> set[str]:
    """Return the names of the tools whose outcome comes from a person or another system; as `answering_agent`."""
    found = await answering_agent(api, thread)
    return {name for name, tool in found.tools.items() if tool.kind == "async"} if found else set()
