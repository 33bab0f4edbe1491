"""Controls for agent, model and answer options of the open thread (top bar) and of new chats (settings)."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

from typing import Any

import reflex as rx

from chat_app.agent_choice.choices import Choices, agent_option
from chat_app.agent_choice.new_chat_defaults import NewChatDefaults
from chat_app.i18n import say
from chat_app.model.answer_options import ASSISTANT
from chat_app.thread.open_thread import OpenThread
from chat_app.ui.controls import button, error_note, icon_button, testid

_PANEL = "answers"


def picker() -> rx.Component:
    """Render the selects of agents and models, if there are several, and the button for the options."""
    several = Choices.models.length() > 1
    return rx.el.div(
        rx.cond((Choices.agents.length() > 1) | OpenThread.has_unlisted_agent, _agents()),
        rx.cond(
            OpenThread.may_choose_model,
            rx.fragment(
                rx.cond(
                    several,
                    _models(
                        aria_label=say("picker.model"),
                        title=say("picker.model"),
                        class_name="pick pick-model",
                        custom_attrs=testid("pick-model"),
                    ),
                ),
                icon_button(
                    "sliders-horizontal",
                    say("picker.answers"),
                    custom_attrs={"popoverTarget": _PANEL},
                    test_id="answers-open",
                ),
                _panel(several),
            ),
        ),
        class_name="picker",
    )


def _agents() -> rx.Component:
    """Render the select of agents; a change takes effect with the next turn."""
    return rx.el.select(
        # Without this option the browser would show the first agent as selected, so users could not pick it.
        rx.cond(
            OpenThread.has_unlisted_agent,
            rx.el.option(OpenThread.agent, value=OpenThread.agent, disabled=True),
        ),
        rx.cond(
            Choices.agents.length() > 0,
            rx.foreach(Choices.agents, agent_option),
            rx.el.option(say("picker.assistant"), value=ASSISTANT),
        ),
        value=OpenThread.agent,
        on_change=OpenThread.choose_agent,
        aria_label=say("picker.agent"),
        title=say("picker.agent"),
        class_name="pick",
        custom_attrs=testid("pick-agent"),
    )


def _models(**props: Any) -> rx.Component:
    """Render the select of models of the app's own agent; a change takes effect with the next step."""
    return rx.el.select(
        _model_options(),
        value=rx.cond(OpenThread.model == "", Choices.models[0].value, OpenThread.model),
        on_change=OpenThread.choose_model,
        **props,
    )


def _model_options() -> rx.Component:
    return rx.foreach(Choices.models, lambda option: rx.el.option(option.label, value=option.value))


def _panel(several: rx.Var[bool]) -> rx.Component:
    """Render the form of the thread's instructions and temperature, and on phones also its model."""
    return rx.el.form(
        rx.cond(
            several,
            rx.el.label(
                say("picker.model"), _models(custom_attrs=testid("pick-model-here")), class_name="model"
            ),
        ),
        *_option_fields(OpenThread, name="answers", key=OpenThread.open_id),
        error_note(OpenThread.answers_error, OpenThread.answers_error_info),
        rx.el.p(say("picker.when"), class_name="field-note"),
        button(say("picker.save"), kind="primary", type="submit", test_id="answers-save"),
        on_submit=OpenThread.choose_answers,
        id=_PANEL,
        class_name="panel",
        custom_attrs={"popover": "auto"} | testid("answers"),
    )


def _option_fields(
    shown: type[OpenThread] | type[NewChatDefaults], *, name: str, key: Any, class_name: str = ""
) -> tuple[rx.Component, rx.Component]:
    """Render the instructions and temperature fields of a state; a new `key` recreates the fields."""
    instructions = rx.el.textarea(
        name="instructions",
        key=key + shown.instructions,
        default_value=shown.instructions,
        placeholder=say("picker.instructions_hint"),
        rows="4",
        dir="auto",
        custom_attrs=testid(f"{name}-instructions"),
    )
    temperature = rx.el.input(
        name="temperature",
        key=key + shown.temperature,
        default_value=shown.temperature,
        placeholder=say("picker.temperature_hint"),
        input_mode="decimal",
        custom_attrs=testid(f"{name}-temperature"),
    )
    return (
        rx.el.label(say("picker.instructions"), instructions, class_name=class_name),
        rx.el.label(say("picker.temperature"), temperature, class_name=class_name),
    )


def defaults_form() -> rx.Component:
    """Render the form of new chats' defaults: agent and model (if several), instructions, temperature."""
    version = NewChatDefaults.version.to_string()
    return rx.el.form(
        rx.el.div(
            rx.cond(
                Choices.agents.length() > 1,
                rx.el.label(say("picker.agent"), _default_agent(), class_name="field"),
            ),
            rx.cond(
                Choices.models.length() > 1,
                rx.el.label(say("picker.model"), _default_model(), class_name="field"),
            ),
            class_name="field-row",
        ),
        *_option_fields(NewChatDefaults, name="default", key=version, class_name="field"),
        error_note(NewChatDefaults.notice, NewChatDefaults.notice_info),
        rx.el.p(say("settings.answers_where"), class_name="field-note"),
        rx.el.div(
            button(say("settings.save"), kind="primary", type="submit", test_id="defaults-save"),
            rx.cond(
                NewChatDefaults.saved,
                rx.el.span(say("settings.saved"), role="status", custom_attrs=testid("defaults-saved")),
            ),
            class_name="turn-line",
        ),
        key=version + " " + Choices.models.length().to_string(),
        on_submit=NewChatDefaults.save,
        class_name="schedule-form",
        no_validate=True,
        custom_attrs=testid("defaults"),
    )


def _default_agent() -> rx.Component:
    return rx.el.select(
        rx.foreach(Choices.agents, agent_option),
        name="agent",
        default_value=NewChatDefaults.agent,
        custom_attrs=testid("default-agent"),
    )


def _default_model() -> rx.Component:
    return rx.el.select(
        _model_options(),
        name="model",
        default_value=rx.cond(NewChatDefaults.model == "", Choices.models[0].value, NewChatDefaults.model),
        custom_attrs=testid("default-model"),
    )
