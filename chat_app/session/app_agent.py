"""Agent of the app, with the model and options of each thread."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from agent_core import Agent, CallContext, ModelTitle, Thread
from agent_core.agent import AgentFactory
from agent_core.llm import LitellmModel
from chat_app.demo.model import DemoModel
from chat_app.demo.tools import demo_tools
from chat_app.extensions import assistant_tools
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
"""Maximum number of agents that are cached; building one again takes milliseconds."""


def app_agent(
    settings: Settings, models: Sequence[ModelChoice], read: Callable[[str], Awaitable[Thread | None]]
) -> AgentFactory:
    """Return the factory of the app's agent, which answers every thread that has no other agent.

    Args:
        settings: settings of the app.
        models: models to choose from; the first answers if a thread's choice is missing or no longer offered.
        read: function that returns a thread by its id.
    """
    by_name = {model.name: model for model in models}
    made: OrderedDict[AnswerOptions, Agent] = OrderedDict()
    made_with = assistant_tools()

    async def make(_: CallContext, thread_id: str) -> Agent:
        nonlocal made_with
        thread = await read(thread_id)
        tools = assistant_tools()
        if [id(each) for each in tools] != [id(each) for each in made_with]:
            made.clear()
            made_with = tools
        wanted = AnswerOptions.of(thread.metadata if thread else None)
        if wanted not in made:
            model = by_name.get(wanted.model, models[0])
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
    """Build the agent that answers with a model; send no request and start nothing.

    Args:
        choice: the model.
        settings: settings of the app.
        instructions: system prompt in place of the built-in one; the part about tools is added to both.
        temperature: temperature of the model; None for the provider's default.
    """
    tools = demo_tools(settings.data_dir) if choice.calls_tools else {}
    if choice.calls_tools:
        tools |= {tool.name: tool for each in assistant_tools() for tool in each}
    options: dict[str, Any] = (
        choice.options if temperature is None else choice.options | {"temperature": temperature}
    )
    return Agent(
        name="assistant",
        model=DemoModel(settings.demo_speed) if choice.is_demo else choice.name,
        system=(instructions or _SYSTEM) + (_TOOL_USE if tools else ""),
        tools=tools,
        title=title_model(choice, settings),
        **options,
    )


def title_model(choice: ModelChoice, settings: Settings) -> ModelTitle | None:
    """Return the title model that CHAT_TITLE_MODEL selects; None keeps a thread's first words as its title.

    The demo model writes no titles: its answers are scripted, and make worse titles than the first words.
    """
    if settings.title_model == "none":
        return None
    if settings.title_model == "own":
        return None if choice.is_demo else ModelTitle()
    named = choose_model(replace(settings, model=settings.title_model), os.environ)
    return None if named.is_demo else ModelTitle(LitellmModel(named.name, **named.options))
