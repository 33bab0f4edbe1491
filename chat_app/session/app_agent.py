"""The app's own agent, made anew for each step as the thread wants to be answered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agent_core import Agent, CallContext, Thread
from agent_core.agent import AgentFactory
from chat_app.demo.agent import build_agent
from chat_app.model.answer_options import Answers
from chat_app.model.model_choice import ModelChoice
from chat_app.server.settings import Settings

MAX_KEPT = 32
"""How many agents are kept; making one again costs milliseconds."""


def answering(
    settings: Settings, offers: Sequence[ModelChoice], read: Callable[[str], Awaitable[Thread | None]]
) -> AgentFactory:
    """Return the agent of every thread that has none of somebody's own.

    Args:
        settings: of the app.
        offers: the models to choose from; the first answers where none is chosen, or where one is that
            is not offered any more.
        read: returns a thread.
    """
    models = {model.name: model for model in offers}
    made: OrderedDict[Answers, Agent] = OrderedDict()

    async def make(_: CallContext, thread_id: str) -> Agent:
        thread = await read(thread_id)
        wanted = Answers.of(thread.metadata if thread else None)
        if wanted not in made:
            model = models.get(wanted.model, offers[0])
            options: dict[str, Any] = {"temperature": wanted.temperature}
            made[wanted] = build_agent(model, settings, instructions=wanted.instructions, **options)
        made.move_to_end(wanted)
        while len(made) > MAX_KEPT:
            made.popitem(last=False)
        return made[wanted]

    return Agent.factory(make, name="assistant")
