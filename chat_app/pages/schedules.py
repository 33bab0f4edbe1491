"""The page of what is sent by itself."""

import reflex as rx

from chat_app.components.controls import keyed, testid, titled
from chat_app.components.places import tabs
from chat_app.components.schedule_form import schedule_form
from chat_app.components.schedule_row import schedule_row
from chat_app.components.sheet import section, sheet
from chat_app.extensions import Content, register_page
from chat_app.react.schedules import zone
from chat_app.state.schedules import Schedules
from chat_app.words import say, tell


@register_page("/schedules", titled("schedules.title"), on_load=Schedules.open)
def schedules() -> Content:
    """`/schedules`: those there are, and a form for another."""
    rows = rx.foreach(Schedules.items, lambda item: keyed(item.id, schedule_row(item)))
    return Content(
        sheet(
            tabs("/schedules"),
            rx.cond(
                Schedules.notice != "",
                rx.el.p(
                    tell(Schedules.notice, Schedules.notice_info), class_name="field-error", role="alert"
                ),
            ),
            rx.cond(
                Schedules.loaded & (Schedules.items.length() == 0),
                rx.el.p(say("schedules.none"), class_name="field-note"),
                rx.el.ul(rows, class_name="schedules", custom_attrs=testid("schedules")),
            ),
            section(say("schedules.new"), schedule_form(), name="new-schedule"),
            zone(known=Schedules.zone, on_zone=Schedules.set_zone),
        ),
        bar=rx.el.h1(say("schedules.title")),
    )
