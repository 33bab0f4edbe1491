"""Columns of pages without messages: settings and similar pages, and short notes."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router import link

from chat_app.i18n import say
from chat_app.ui.controls import testid


def column(*parts: rx.Component, **props: Any) -> rx.Component:
    """Render a scrolling column for `Content`, as wide as the column of messages."""
    return rx.el.div(rx.el.div(*parts), class_name="page-column", **props)


sheet = column
"""Old name of `column`, for one release."""


def section(heading: rx.Var[str] | str, *parts: rx.Component, name: str = "") -> rx.Component:
    """Render a section of a column; `name` is its test id."""
    return rx.el.section(rx.el.h2(heading), *parts, class_name="section", custom_attrs=testid(name))


def thread_note(heading: rx.Var[str] | str, words: rx.Var[str] | str) -> rx.Component:
    """Render a heading, a sentence, and a link to the page of a new chat."""
    return rx.el.div(
        rx.el.h2(heading),
        rx.el.p(words),
        link(say("page.new_chat"), to="/", class_name="button primary"),
        class_name="page-note",
        custom_attrs=testid("page-note"),
    )
