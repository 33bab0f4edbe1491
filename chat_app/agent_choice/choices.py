"""Agents and models that users may choose."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from chat_app.extensions import OFFERED
from chat_app.i18n import say
from chat_app.model.answer_options import ASSISTANT
from chat_app.session.service import service


@dataclass(frozen=True)
class Option:
    """Option of a list; the app's own agent has no label, because the page translates it."""

    value: str
    label: str


def agent_options() -> list[Option]:
    """Return the selectable agents, the app's own first; none if there are no others."""
    others = [Option(name, title) for name, title in OFFERED.items()]
    return [Option(ASSISTANT, ""), *others] if others else []


def agent_option(option: rx.Var[Option]) -> rx.Component:
    """Render an agent as an option of a select."""
    label = rx.cond(option.value == ASSISTANT, say("picker.assistant"), option.label)  # pyright: ignore[reportAttributeAccessIssue]
    return rx.el.option(label, value=option.value)  # pyright: ignore[reportAttributeAccessIssue]


class Choices(rx.State):
    """State of the selectable agents and models.

    Attributes:
        models: the models of the app's own agent; the first is the default.
    """

    agents: list[Option] = []
    models: list[Option] = []

    @rx.event
    def open(self):
        """Show the agents and models that this process offers."""
        self.agents = agent_options()
        self.models = [Option(model.name, model.name) for model in service().models]
