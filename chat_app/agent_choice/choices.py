"""The agents and models to choose from."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from chat_app.extensions import OFFERED
from chat_app.i18n import say
from chat_app.model.answer_options import ASSISTANT
from chat_app.session.service import service


@dataclass(frozen=True)
class Option:
    """One of several to choose from; the app's own agent has no label, since the page has words for it."""

    value: str
    label: str


def agent_options() -> list[Option]:
    """Return the agents that can be chosen, the app's own first; none if it is the only one."""
    others = [Option(name, title) for name, title in OFFERED.items()]
    return [Option(ASSISTANT, ""), *others] if others else []


def agent_option(option: rx.Var[Option]) -> rx.Component:
    """One agent in a list of them."""
    label = rx.cond(option.value == ASSISTANT, say("picker.assistant"), option.label)  # pyright: ignore[reportAttributeAccessIssue]
    return rx.el.option(label, value=option.value)  # pyright: ignore[reportAttributeAccessIssue]


class Choices(rx.State):
    """The agents and models there are to choose from.

    Attributes:
        models: of the app's own agent; the first answers where none is chosen.
    """

    agents: list[Option] = []
    models: list[Option] = []

    @rx.event
    def open(self):
        """Show what this process offers."""
        self.agents = agent_options()
        self.models = [Option(model.name, model.name) for model in service().offers]
