"""The app's own agent: made for each step, with the model and options of its thread."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from agent_core import Agent, CallContext, ModelTitle, Thread
from agent_core.agent import AgentFactory
from agent_core.llm import LitellmModel
from chat_app.demo.model import register_demo_model
from chat_app.demo.tools import demo_tools
from chat_app.model.answer_options import AnswerOptions
from chat_app.model.model_choice import ModelChoice, choose_model
from chat_app.server.settings import Settings

_SYSTEM = """You are the assistant of a self-hosted chat app whose agents survive restarts.
Answer in the language of the question, briefly, in GitHub-flavoured markdown."""

_TOOL_USE = """
Use the tools when they help: the clock for times, the calculator for arithmetic, search_docs for \
questions about this app, ask_human when you need a decision. Use send_email only when asked to.
When a tool reports an error, say so plainly and suggest what to do."""

_MAX_KEPT = 32
"""How many agents are kept; making one again costs milliseconds."""


def app_agent(
    settings: Settings, offers: Sequence[ModelChoice], read: Callable[[str], Awaitable[Thread | None]]
) -> AgentFactory:
    """Return the agent of every thread that has no other.

    Args:
        settings: of the app.
        offers: the models to choose from; the first answers where none is chosen, or one that is no longer offered.
        read: returns a thread.
    """
    models = {model.name: model for model in offers}
    made: OrderedDict[AnswerOptions, Agent] = OrderedDict()

    async def make(_: CallContext, thread_id: str) -> Agent:
        thread = await read(thread_id)
        wanted = AnswerOptions.of(thread.metadata if thread else None)
        if wanted not in made:
            model = models.get(wanted.model, offers[0])
            options: dict[str, Any] = {"temperature": wanted.temperature}
            made[wanted] = build_agent(model, settings, instructions=wanted.instructions, **options)
        made.move_to_end(wanted)
        while len(made) > _MAX_KEPT:
            made.popitem(last=False)
        return made[wanted]

    return Agent.factory(make, name="assistant")


def build_agent(
    choice: ModelChoice, settings: Settings, *, instructions: str = "", temperature: float | None = None
) -> Agent:
    """Return the agent that answers with the chosen model; calls nothing and starts nothing.

    Args:
        choice: the model.
        settings: of the app.
        instructions: a system prompt in place of the built-in one; the part about the tools is added to either.
        temperature: for the model; None leaves it to the provider.
    """
    register_demo_model(settings.demo_speed)
    tools = demo_tools(settings.data_dir) if choice.calls_tools else {}
    options: dict[str, Any] = (
        choice.options if temperature is None else choice.options | {"temperature": temperature}
    )
    return Agent(
        name="assistant",
        model=choice.name,
        system=(instructions or _SYSTEM) + (_TOOL_USE if tools else ""),
        tools=tools,
        title=title_model(choice, settings),
        **options,
    )


def title_model(choice: ModelChoice, settings: Settings) -> ModelTitle | None:
    """Return what names the threads that a model answers, as CHAT_TITLE_MODEL says; None keeps their first words.

    The demo model names none: its answers are scripted, and make worse titles than the first words.
    """
    if settings.title_model == "none":
        return None
    if settings.title_model == "own":
        return None if choice.is_demo else ModelTitle()
    named = choose_model(replace(settings, model=settings.title_model), os.environ)
    return None if named.is_demo else ModelTitle(LitellmModel(named.name, **named.options))
