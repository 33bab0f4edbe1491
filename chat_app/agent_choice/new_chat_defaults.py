"""Defaults of a user's new chats, stored in the database and shared by all of the user's tabs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

import reflex as rx

from agent_core.errors import AgentCoreError, ValidationError, words_of
from chat_app.extensions import OFFERED
from chat_app.model.answer_options import ASSISTANT, AnswerOptions, parse_options
from chat_app.session.service import CommandState, service
from chat_app.thread.open_thread import OpenThread

KEY = "new_threads"
"""Key of a user's preferences; its value is {"agent": name, "answers": as in a thread's metadata}."""


def stored_defaults(preferences: Mapping[str, Any]) -> tuple[str, AnswerOptions]:
    """Return the agent and the answer options of new chats, without agents and models no longer offered."""
    found = preferences.get(KEY)
    known: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    agent, answers = known.get("agent"), AnswerOptions.of(known)
    if answers.model not in _models():
        answers = AnswerOptions("", answers.instructions, answers.temperature)
    return (agent if agent in OFFERED else ASSISTANT), answers


def _models() -> set[str]:
    return {model.name for model in service().models}


class NewChatDefaults(CommandState, rx.State):
    """State of the form of defaults in the settings, which the page of a new chat starts with.

    Attributes:
        agent: the name of the agent.
        model: the name of the model; "" for the first offered.
        version: the number of times the shown values changed; the form's fields are recreated with it.
        saved: whether the last action in the form was a successful save.
    """

    agent: str = ASSISTANT
    model: str = ""
    instructions: str = ""
    temperature: str = ""
    version: int = 0
    saved: bool = False

    @rx.event
    async def open(self):
        """Show the stored defaults, apply them to a new chat, and follow changes from other tabs."""
        self.notice, self.saved = "", False
        try:
            await self._show(await self._api().preferences.get())
        except AgentCoreError as error:
            self.notice = words_of(error)
            return None
        return NewChatDefaults.follow

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Show the user's changes from any tab, until this tab closes."""
        async with self:
            api = self._api()
        async with aclosing(api.preferences.follow()) as changes:
            async for preferences in changes:
                async with self:
                    await self._show(preferences)

    async def _show(self, preferences: Mapping[str, Any]) -> None:
        agent, answers = stored_defaults(preferences)
        degrees = "" if answers.temperature is None else f"{answers.temperature:g}"
        shown = (agent, answers.model, answers.instructions, degrees)
        if shown != (self.agent, self.model, self.instructions, self.temperature):
            self.agent, self.model, self.instructions, self.temperature = shown
            self.version += 1
        opened = await self.get_state(OpenThread)
        opened._apply_defaults(agent, answers)

    @rx.event
    async def save(self, form: dict[str, Any]):
        """Store the values of the form as the defaults of future chats."""
        self.notice, self.saved = "", False
        try:
            values = {name: str(form.get(name) or "") for name in (*asdict(AnswerOptions()), "agent")}
            answers = parse_options(values["model"], values["instructions"], values["temperature"])
            if answers.model not in {"", *_models()}:
                raise ValidationError(f"The model {answers.model!r:.60} is not offered here; choose another.")
            kept = answers.metadata() | {"agent": values["agent"] or ASSISTANT}
            await self._show(await self._api().preferences.change({KEY: kept}))
            self.saved = True
        except AgentCoreError as error:
            self.notice = words_of(error)
