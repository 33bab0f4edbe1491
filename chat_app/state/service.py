"""What the whole process shares: the runtime, the agent's API and the feed of the thread list.

Opened by the app's lifespan, once per worker and never at import: the server forks its workers after
the app is imported, and no engine, thread or scheduler survives a fork.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agent_core import Agent, AgentApi, Runtime, define_agent_api
from agent_core.llm import warm
from chat_app.demo.agent import build_agent
from chat_app.models import ModelChoice, choose_model
from chat_app.settings import Settings, load_settings
from chat_app.state.feed import Feed


@dataclass(frozen=True)
class Service:
    """One worker's open runtime and what stands on it."""

    settings: Settings
    choice: ModelChoice
    agent: Agent
    api: AgentApi
    feed: Feed

    def is_async(self, tool: str) -> bool:
        """Whether the tool's outcome comes from a person or another system."""
        found = self.agent.tools.get(tool)
        return found is not None and found.kind == "async"


_opened: Service | None = None


def service() -> Service:
    """Return the open service; raise RuntimeError before the app has started."""
    if _opened is None:
        raise RuntimeError("The runtime is not open; the app's lifespan opens it.")
    return _opened


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Open the service for as long as the app runs."""
    warm()  # litellm takes seconds to import; the first message shall not wait for it
    settings = load_settings()
    choice = choose_model(settings, os.environ)
    async with opened(settings, choice, build_agent(choice, settings)):
        yield


@asynccontextmanager
async def opened(settings: Settings, choice: ModelChoice, agent: Agent) -> AsyncIterator[Service]:
    """Open a runtime with `agent` and make it the process's service."""
    global _opened
    async with Runtime(database_url=settings.database_url) as runtime:
        api, feed = define_agent_api(runtime, agent), Feed()
        async with feed.following(api):
            _opened = Service(settings, choice, agent, api, feed)
            try:
                yield _opened
            finally:
                _opened = None
