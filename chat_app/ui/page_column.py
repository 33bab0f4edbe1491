"""A page beside the threads: one column that scrolls, with parts under headings."""

from typing import Any

import reflex as rx

from chat_app.ui.controls import testid


def sheet(*parts: rx.Component, **props: Any) -> rx.Component:
    """A column for `Content`, as wide as that of the messages."""
    return rx.el.div(rx.el.div(*parts, class_name="sheet-column"), class_name="sheet", **props)


def section(heading: rx.Var[str] | str, *parts: rx.Component, name: str = "") -> rx.Component:
    """A part of a sheet; `name` is what tests find it by."""
    return rx.el.section(rx.el.h2(heading), *parts, class_name="section", custom_attrs=testid(name))
