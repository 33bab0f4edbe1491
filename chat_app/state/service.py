"""What the whole process shares: the runtime, the agent's API and the feeds of the thread lists.

Opened by the app's lifespan, once per worker and never at import: the server forks its workers after
the app is imported, and no engine, thread or scheduler survives a fork.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agent_core import AgentApi, Runtime, Thread, define_agent_api
from agent_core.agent import AnyAgent
from agent_core.llm import warm
from chat_app.extensions import AGENTS
from chat_app.models import ModelChoice, choose_model, offered_models
from chat_app.settings import Settings, load_settings
from chat_app.state.answering import answering
from chat_app.state.feed import Feed
from chat_app.state.waits import Waits


@dataclass(frozen=True)
class Service:
    """One worker's open runtime and what stands on it."""

    settings: Settings
    choice: ModelChoice
    offers: tuple[ModelChoice, ...]
    api: AgentApi
    feed: Feed
    waits: Waits
    archive: Feed


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
    offers = offered_models(settings, os.environ, choice)
    async with opened(settings, choice, offers=offers):
        yield


@asynccontextmanager
async def opened(
    settings: Settings,
    choice: ModelChoice,
    agent: AnyAgent | None = None,
    *,
    offers: Sequence[ModelChoice] = (),
) -> AsyncIterator[Service]:
    """Open a runtime and make it the process's service.

    Args:
        settings: of the app.
        choice: the model that answers where no other is chosen.
        agent: in place of the app's own.
        offers: the models to choose from, `choice` first; only that one by default.
    """
    global _opened
    offers = tuple(offers) or (choice,)

    async def read(thread_id: str) -> Thread | None:
        return await api.get_thread(thread_id)

    async with Runtime(database_url=settings.database_url) as runtime:
        api = define_agent_api(runtime, agent or answering(settings, offers, read))
        feed, archive, waits = Feed(api), Feed(api, archived=True), Waits()
        for other in AGENTS.values():
            runtime.register(other)
        async with feed.following(), archive.following(), waits.following(api):
            _opened = Service(settings, choice, offers, api, feed, waits, archive)
            try:
                yield _opened
            finally:
                _opened = None
