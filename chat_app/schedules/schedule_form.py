"""Form for a new schedule: the prompt, when it runs, and a preview of the next runs."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.agent_choice.choices import agent_option
from chat_app.i18n import say, tell
from chat_app.model.answer_options import ASSISTANT
from chat_app.schedules.schedules import Schedules
from chat_app.ui.controls import button, testid, thread_name
from chat_app.ui.times import moment

_KINDS = {
    "daily": "schedules.kind_daily",
    "weekdays": "schedules.kind_weekdays",
    "weekly": "schedules.kind_weekly",
    "every": "schedules.kind_every",
    "once": "schedules.kind_once",
    "cron": "schedules.kind_cron",
}
DAYS = {
    "mon": "schedules.day_mon",
    "tue": "schedules.day_tue",
    "wed": "schedules.day_wed",
    "thu": "schedules.day_thu",
    "fri": "schedules.day_fri",
    "sat": "schedules.day_sat",
    "sun": "schedules.day_sun",
}
_UNITS = {
    "minutes": "schedules.unit_minutes",
    "hours": "schedules.unit_hours",
    "days": "schedules.unit_days",
}
_ERRORS = {
    "blank": "schedules.error_blank",
    "time": "schedules.error_time",
    "amount": "schedules.error_amount",
    "moment": "schedules.error_moment",
    "past": "schedules.error_past",
    "never": "schedules.error_never",
}


def schedule_form() -> rx.Component:
    """Render the form; it sends each change to the server, so that the preview always matches the fields."""
    return rx.el.form(
        _field("title", say("schedules.name"), _input("title", placeholder=say("schedules.name_hint"))),
        _field(
            "prompt",
            say("schedules.prompt"),
            rx.el.textarea(
                default_value=Schedules.form["prompt"],
                placeholder=say("schedules.prompt_hint"),
                rows="3",
                dir="auto",
                on_change=lambda value: Schedules.set_field("prompt", value),
                custom_attrs=testid("schedule-prompt"),
            ),
        ),
        _where(),
        _when(),
        _upcoming(),
        button(say("schedules.create"), kind="primary", type="submit", test_id="schedule-create"),
        key=Schedules.resets.to_string(),
        on_submit=lambda _: Schedules.create(),
        class_name="schedule-form",
        no_validate=True,
        custom_attrs=testid("schedule-form"),
    )


def _where() -> rx.Component:
    """Render the choice of the thread and, for new threads, of the agent if there are several."""
    form = Schedules.form
    return rx.el.div(
        _field(
            "thread",
            say("schedules.thread"),
            rx.el.select(
                rx.el.option(say("schedules.thread_new"), value=""),
                rx.foreach(
                    Schedules.threads, lambda one: rx.el.option(thread_name(one.label), value=one.value)
                ),
                value=form["thread"],
                on_change=lambda value: Schedules.set_field("thread", value),
                custom_attrs=testid("schedule-thread"),
            ),
        ),
        rx.cond(
            (Schedules.agents.length() > 1) & (form["thread"] == ""),
            _field("agent", say("picker.agent"), _agents()),
        ),
        class_name="field-row",
    )


def _agents() -> rx.Component:
    return rx.el.select(
        rx.foreach(Schedules.agents, agent_option),
        value=rx.cond(Schedules.form["agent"] == "", ASSISTANT, Schedules.form["agent"]),
        on_change=lambda value: Schedules.set_field("agent", value),
        custom_attrs=testid("schedule-agent"),
    )


def _when() -> rx.Component:
    return rx.el.div(
        _field("kind", say("schedules.when"), _select("kind", _KINDS)),
        rx.match(
            Schedules.form["kind"],
            ("daily", _time()),
            ("weekdays", _time()),
            ("weekly", rx.fragment(_field("day", say("schedules.day"), _select("day", DAYS)), _time())),
            (
                "every",
                rx.fragment(
                    _field("amount", say("schedules.amount"), _input("amount", input_mode="decimal")),
                    _field("unit", say("schedules.unit"), _select("unit", _UNITS)),
                ),
            ),
            ("once", _field("moment", say("schedules.moment"), _input("moment", type="datetime-local"))),
            _field("cron", say("schedules.cron_label"), _input("cron", dir="ltr")),
        ),
        class_name="field-row",
    )


def _field(name: str, label: rx.Var[str], control: rx.Component) -> rx.Component:
    return rx.el.label(
        label,
        control,
        rx.cond(Schedules.error_field == name, _field_error(name)),
        class_name=f"field field-{name}",
    )


def _field_error(name: str) -> rx.Component:
    return rx.el.span(
        rx.match(
            Schedules.error,
            *((word, say(key)) for word, key in _ERRORS.items()),
            tell(Schedules.error, Schedules.error_info),
        ),
        class_name="field-error",
        role="alert",
        custom_attrs=testid(f"error-{name}"),
    )


def _input(name: str, **props: object) -> rx.Component:
    return rx.el.input(
        default_value=Schedules.form[name],
        on_change=lambda value: Schedules.set_field(name, value),
        custom_attrs=testid(f"schedule-{name}"),
        **props,
    )


def _select(name: str, values: dict[str, str]) -> rx.Component:
    return rx.el.select(
        *(rx.el.option(say(key), value=value) for value, key in values.items()),
        value=Schedules.form[name],
        on_change=lambda value: Schedules.set_field(name, value),
        custom_attrs=testid(f"schedule-{name}"),
    )


def _time() -> rx.Component:
    return _field("time", say("schedules.time"), _input("time", type="time"))


def _upcoming() -> rx.Component:
    return rx.cond(
        Schedules.upcoming.length() > 0,
        rx.el.div(
            rx.el.span(say("schedules.upcoming", zone=Schedules.zone)),
            rx.el.ol(rx.foreach(Schedules.upcoming, lambda at: rx.el.li(moment(at=at)))),
            class_name="upcoming",
            custom_attrs=testid("schedule-upcoming"),
        ),
    )
