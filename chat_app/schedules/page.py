"""Page of schedules."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.extensions import Content, register_page
from chat_app.i18n import say, tell
from chat_app.schedules.react import zone
from chat_app.schedules.schedule_form import schedule_form
from chat_app.schedules.schedule_row import schedule_row
from chat_app.schedules.schedules import Schedules
from chat_app.settings.settings_tabs import tabs
from chat_app.ui.controls import keyed, testid, titled
from chat_app.ui.page_column import section, sheet


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
