"""Find the agent that answers a thread, and the async tools of that agent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from agent_core import Agent, AgentApi
from agent_core.agent import AnyAgent

_log = logging.getLogger(__name__)


async def answering_agent(api: AgentApi, thread: Mapping[str, Any]) -> Agent | None:
    """Return the agent that currently answers a thread; None if this process cannot resolve it.

    Args:
        api: the API whose store has the thread's agent.
        thread: as plain JSON.
    """
    agent: AnyAgent | None = api.store.agents.get(str(thread.get("agent")))
    if agent is None:  # registered in another process only
        return None
    try:
        return await agent.resolve(thread.get("user_id"), str(thread["id"]))
    except Exception:  # a factory of an extension; the step reports its error
        _log.warning("Agent factory %s failed", agent.name, exc_info=True)
        return None


async def async_tools(api: AgentApi, thread: Mapping[str, Any]) -> set[str]:
    """Return the names of the agent's async tools; arguments as of `answering_agent`."""
    found = await answering_agent(api, thread)
    return {name for name, tool in found.tools.items() if tool.kind == "async"} if found else set()
