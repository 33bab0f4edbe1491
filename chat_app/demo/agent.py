"""The agent behind the page: one agent for every model, with the demo's tools."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from agent_core import Agent, ModelTitle
from agent_core.llm import LitellmModel
from chat_app.demo.model import register_demo_model
from chat_app.demo.tools import demo_tools
from chat_app.model.model_choice import ModelChoice, choose_model
from chat_app.server.settings import Settings

_SYSTEM = """You are the assistant of a self-hosted chat app whose agents survive restarts.
Answer in the language of the question, briefly, in GitHub-flavoured markdown."""

_TOOL_USE = """
Use the tools when they help: the clock for times, the calculator for arithmetic, search_docs for \
questions about this app, ask_human when you need a decision. Use send_email only when asked to.
When a tool reports an error, say so plainly and suggest what to do."""


def build_agent(
    choice: ModelChoice, settings: Settings, *, instructions: str = "", temperature: float | None = None
) -> Agent:
    """Return the agent that answers with the chosen model; calls nothing and starts nothing.

    Args:
        choice: the model.
        settings: of the app.
        instructions: a system prompt of the person's own, which stands before what is said of the tools.
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
        title=titles(choice, settings),
        **options,
    )


def titles(choice: ModelChoice, settings: Settings) -> ModelTitle | None:
    """Return what names the threads that a model answers, as CHAT_TITLE_MODEL says.

    The demo model names none: what it says is a script, and makes a worse title than the first words.
    """
    if settings.title_model == "none":
        return None
    if settings.title_model == "own":
        return None if choice.is_demo else ModelTitle()
    named = choose_model(replace(settings, model=settings.title_model), os.environ)
    return None if named.is_demo else ModelTitle(LitellmModel(named.name, **named.options))
