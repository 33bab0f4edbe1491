"""Page of the schedules: their list, the past runs of each, and the form for a new one."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx
from reflex_components_core.react_router import link

from chat_app.extensions import Content, register_page
from chat_app.i18n import say, tell
from chat_app.schedules.schedule_form import DAYS, schedule_form
from chat_app.schedules.schedules import RunItem, ScheduleItem, Schedules
from chat_app.scripts import react_component
from chat_app.session.administrator import Administrator
from chat_app.settings.settings_tabs import tabs
from chat_app.ui.controls import button, error_note, keyed, testid, titled
from chat_app.ui.page_column import column, section
from chat_app.ui.times import moment

_Item = rx.Var[ScheduleItem]

_zone = react_component("schedules/time_zone.jsx", "Zone", known=str, on_zone=(str,))
"""Component that sends the browser's time zone to `on_zone` if `known` is another one; renders nothing."""


@register_page("/schedules", titled("schedules.title"), on_load=[Schedules.open, Administrator.look])
def schedules() -> Content:
    """Render the page `/schedules`: the list of schedules and the form for a new one."""
    rows = rx.foreach(Schedules.items, lambda item: keyed(item.id, _row(item)))
    return Content(
        column(
            tabs("/schedules"),
            error_note(Schedules.notice, Schedules.notice_info),
            rx.cond(
                Schedules.loaded & (Schedules.items.length() == 0),
                rx.el.p(say("schedules.none"), class_name="field-note"),
                rx.el.ul(rows, class_name="schedules", custom_attrs=testid("schedules")),
            ),
            section(say("schedules.new"), schedule_form(), name="new-schedule"),
            _zone(known=Schedules.zone, on_zone=Schedules.set_zone),
        ),
        bar=rx.el.h1(say("schedules.title")),
    )


def _row(item: _Item) -> rx.Component:
    """Render the row of a schedule, with its past runs below while they are expanded."""
    return rx.el.li(
        rx.el.div(
            rx.el.h3(item.title, dir="auto"),
            rx.el.span(
                _status(item), class_name="schedule-status", custom_attrs={"data-status": item.status}
            ),
            class_name="schedule-head",
        ),
        rx.el.p(item.prompt, class_name="schedule-prompt", dir="auto"),
        rx.el.p(
            _when(item),
            rx.cond(item.thread != "", link(say("schedules.in_thread"), to="/chat/" + item.thread.to(str))),
            rx.cond(item.agent != "", rx.el.span(item.agent)),
            rx.cond(
                (item.next_at > 0) & (item.status == "active"),
                rx.el.span(say("schedules.next"), " ", moment(at=item.next_at)),
            ),
            rx.el.span(say("schedules.runs", runs=item.runs)),
            rx.cond(item.missed > 0, rx.el.span(say("schedules.missed", missed=item.missed))),
            class_name="schedule-facts",
        ),
        rx.cond(
            item.error != "", rx.el.p(tell(item.error, item.error_info), class_name="field-error", dir="auto")
        ),
        rx.cond(Schedules.confirming == item.id, _confirm_delete(item), _buttons(item)),
        rx.cond(Schedules.history_of == item.id, _history()),
        class_name="schedule",
        custom_attrs=testid("schedule", schedule_id=item.id, status=item.status),
    )


def _status(item: _Item) -> rx.Component:
    return rx.match(
        item.status,
        ("active", say("schedules.active")),
        ("paused", say("schedules.paused")),
        say("schedules.over"),
    )


def _when(item: _Item) -> rx.Component:
    return rx.el.span(
        rx.match(
            item.kind,
            ("once", rx.fragment(say("schedules.once_at"), " ", moment(at=item.at))),
            ("cron", rx.fragment(item.words)),
            ("daily", rx.fragment(say("schedules.kind_daily"), ", ", item.words)),
            ("weekdays", rx.fragment(say("schedules.kind_weekdays"), ", ", item.words)),
            ("weekly", rx.fragment(say("schedules.kind_weekly"), ", ", _day(item), ", ", item.words)),
            ("days", rx.fragment(say("schedules.every_days", count=item.words))),
            ("hours", rx.fragment(say("schedules.every_hours", count=item.words))),
            ("minutes", rx.fragment(say("schedules.every_minutes", count=item.words))),
            rx.fragment(say("schedules.every_seconds", count=item.words)),
        )
    )


def _day(item: _Item) -> rx.Component:
    return rx.match(
        item.day,
        *((day, rx.fragment(say(key))) for day, key in DAYS.items()),
        rx.fragment(),
    )


def _pause(item: _Item) -> rx.Component:
    return rx.match(
        item.status,
        (
            "active",
            button(
                say("schedules.pause"), icon_name="pause", on_click=Schedules.pause(item.id), test_id="pause"
            ),
        ),
        (
            "paused",
            button(
                say("schedules.resume"),
                icon_name="play",
                on_click=Schedules.resume(item.id),
                test_id="resume",
            ),
        ),
        rx.fragment(),
    )


def _buttons(item: _Item) -> rx.Component:
    return rx.el.div(
        _pause(item),
        button(
            say("schedules.run_now"), icon_name="zap", on_click=Schedules.run_now(item.id), test_id="run-now"
        ),
        button(
            say("schedules.history"),
            icon_name="history",
            on_click=Schedules.toggle_history(item.id),
            test_id="history",
            aria_expanded=Schedules.history_of == item.id,
        ),
        button(
            say("schedules.delete"),
            icon_name="trash-2",
            kind="danger",
            on_click=Schedules.ask_delete(item.id),
            test_id="delete",
        ),
        class_name="choices",
    )


def _confirm_delete(item: _Item) -> rx.Component:
    return rx.el.div(
        rx.el.span(say("schedules.delete_question")),
        button(
            say("schedules.delete"),
            kind="danger",
            auto_focus=True,
            on_click=Schedules.delete(item.id),
            test_id="delete-confirm",
        ),
        button(say("schedules.keep"), on_click=Schedules.ask_delete("")),
        class_name="choices",
    )


def _history() -> rx.Component:
    return rx.cond(
        Schedules.history.length() > 0,
        rx.el.ol(
            rx.foreach(Schedules.history, lambda run: keyed(run.key, _run(run))),
            class_name="schedule-runs",
            custom_attrs=testid("runs"),
        ),
        rx.el.p(say("schedules.no_runs"), class_name="field-note"),
    )


def _run(run: rx.Var[RunItem]) -> rx.Component:
    return rx.el.li(
        link(moment(at=run.at), to="/chat/" + run.thread_id.to(str)),
        rx.cond(run.queued, rx.el.span(say("schedules.queued"))),
    )
