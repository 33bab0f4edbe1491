"""The form for how new chats are answered."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.agent_choice.choices import Offers
from chat_app.agent_choice.new_chat_defaults import Defaults
from chat_app.agent_choice.picker import agent_option
from chat_app.i18n import say, tell
from chat_app.ui.controls import button, testid


def defaults_form() -> rx.Component:
    """Agent and model, where there are several; the instructions and the temperature."""
    key = Defaults.version.to_string() + " " + Offers.models.length().to_string()
    return rx.el.form(
        rx.el.div(
            rx.cond(Offers.agents.length() > 1, _field(say("picker.agent"), _agents())),
            rx.cond(Offers.models.length() > 1, _field(say("picker.model"), _models())),
            class_name="field-row",
        ),
        _field(
            say("picker.instructions"),
            rx.el.textarea(
                name="instructions",
                default_value=Defaults.instructions,
                placeholder=say("picker.instructions_hint"),
                rows="4",
                dir="auto",
                custom_attrs=testid("default-instructions"),
            ),
        ),
        _field(
            say("picker.temperature"),
            rx.el.input(
                name="temperature",
                default_value=Defaults.temperature,
                placeholder=say("picker.temperature_hint"),
                input_mode="decimal",
                custom_attrs=testid("default-temperature"),
            ),
        ),
        rx.cond(
            Defaults.error != "",
            rx.el.p(tell(Defaults.error, Defaults.error_info), class_name="field-error", role="alert"),
        ),
        rx.el.p(say("settings.answers_where"), class_name="field-note"),
        rx.el.div(
            button(say("settings.save"), kind="primary", type="submit", custom_attrs=testid("defaults-save")),
            rx.cond(
                Defaults.saved,
                rx.el.span(say("settings.saved"), role="status", custom_attrs=testid("defaults-saved")),
            ),
            class_name="turn-line",
        ),
        key=key,
        on_submit=Defaults.save,
        class_name="schedule-form",
        no_validate=True,
        custom_attrs=testid("defaults"),
    )


def _field(label: rx.Var[str], control: rx.Component) -> rx.Component:
    return rx.el.label(label, control, class_name="field")


def _agents() -> rx.Component:
    return rx.el.select(
        rx.foreach(Offers.agents, agent_option),
        name="agent",
        default_value=Defaults.agent,
        custom_attrs=testid("default-agent"),
    )


def _models() -> rx.Component:
    return rx.el.select(
        rx.foreach(Offers.models, lambda option: rx.el.option(option.label, value=option.value)),
        name="model",
        default_value=rx.cond(Defaults.model == "", Offers.models[0].value, Defaults.model),
        custom_attrs=testid("default-model"),
    )
