"""The bar above the messages: the thread's title and how it stands."""

import reflex as rx

from chat_app.components.controls import testid
from chat_app.components.picker import picker
from chat_app.react.timeline import run_toggle
from chat_app.state import OpenThread
from chat_app.words import say


def topbar() -> rx.Component:
    """Title, status, and who answers."""
    return rx.fragment(
        rx.el.h1(OpenThread.title, dir="auto", custom_attrs=testid("title")),
        rx.cond(OpenThread.is_running, _status()),
        picker(),
        rx.cond(OpenThread.open_id != "", run_toggle()),
    )


def _status() -> rx.Component:
    tone = rx.cond(OpenThread.needs_person, "waiting", "running")
    return rx.el.span(
        rx.el.span(class_name="dot", custom_attrs={"data-tone": tone}),
        rx.cond(OpenThread.needs_person, say("topbar.waits"), say("topbar.at_work")),
        class_name="status",
    )
