"""Who answers, and how: the agent, the model, and behind a button what it is told."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

from typing import Any

import reflex as rx

from chat_app.agent_choice.choices import Offers, Option
from chat_app.i18n import say, tell
from chat_app.model.answer_options import ASSISTANT
from chat_app.thread.open_thread import OpenThread
from chat_app.ui.controls import button, icon_button, testid

_PANEL = "answers"


def picker() -> rx.Component:
    """Lists of agents and of models, where there are several, and the way to the instructions."""
    return rx.el.div(
        rx.cond((Offers.agents.length() > 1) | OpenThread.has_unlisted_agent, agents()),
        rx.cond(
            OpenThread.may_choose_model,
            rx.fragment(
                rx.cond(Offers.models.length() > 1, models()),
                icon_button(
                    "sliders-horizontal",
                    say("picker.answers"),
                    custom_attrs={"popoverTarget": _PANEL} | testid("answers-open"),
                ),
                answers(),
            ),
        ),
        class_name="picker",
    )


def agents() -> rx.Component:
    """The agents; another one answers from the next turn on."""
    return rx.el.select(
        # Without an option of its own the browser would show the first one, and nobody could choose that.
        rx.cond(
            OpenThread.has_unlisted_agent,
            rx.el.option(OpenThread.agent, value=OpenThread.agent, disabled=True),
        ),
        rx.cond(
            Offers.agents.length() > 0,
            rx.foreach(Offers.agents, agent_option),
            rx.el.option(say("picker.assistant"), value=ASSISTANT),
        ),
        value=OpenThread.agent,
        on_change=OpenThread.choose_agent,
        aria_label=say("picker.agent"),
        title=say("picker.agent"),
        class_name="pick",
        custom_attrs=testid("pick-agent"),
    )


def models() -> rx.Component:
    """The models of the app's own agent; another one answers from the next step on."""
    return _models(
        aria_label=say("picker.model"),
        title=say("picker.model"),
        class_name="pick pick-model",
        custom_attrs=testid("pick-model"),
    )


def _models(**props: Any) -> rx.Component:
    return rx.el.select(
        rx.foreach(Offers.models, _option),
        value=rx.cond(OpenThread.model == "", Offers.models[0].value, OpenThread.model),
        on_change=OpenThread.choose_model,
        **props,
    )


def agent_option(option: rx.Var[Option]) -> rx.Component:
    """One agent in a list of them."""
    return rx.el.option(
        rx.cond(option.value == ASSISTANT, say("picker.assistant"), option.label), value=option.value
    )


def _option(option: rx.Var[Option]) -> rx.Component:
    return rx.el.option(option.label, value=option.value)


def answers() -> rx.Component:
    """A panel for the instructions and the temperature of this thread, on a phone for its model, too."""
    return rx.el.form(
        rx.cond(
            Offers.models.length() > 1,
            rx.el.label(
                say("picker.model"),
                _models(custom_attrs=testid("pick-model-here")),
                class_name="model",
            ),
        ),
        rx.el.label(
            say("picker.instructions"),
            rx.el.textarea(
                name="instructions",
                key=OpenThread.open_id + OpenThread.instructions,
                default_value=OpenThread.instructions,
                placeholder=say("picker.instructions_hint"),
                rows="5",
                dir="auto",
            ),
        ),
        rx.el.label(
            say("picker.temperature"),
            rx.el.input(
                name="temperature",
                key=OpenThread.open_id + OpenThread.temperature,
                default_value=OpenThread.temperature,
                placeholder=say("picker.temperature_hint"),
                input_mode="decimal",
            ),
        ),
        rx.cond(
            OpenThread.answers_error != "",
            rx.el.p(
                tell(OpenThread.answers_error, OpenThread.answers_error_info),
                class_name="field-error",
                role="alert",
            ),
        ),
        rx.el.p(say("picker.when"), class_name="field-note"),
        button(say("picker.save"), kind="primary", type="submit", custom_attrs=testid("answers-save")),
        on_submit=OpenThread.choose_answers,
        id=_PANEL,
        class_name="panel",
        custom_attrs={"popover": "auto"} | testid("answers"),
    )
