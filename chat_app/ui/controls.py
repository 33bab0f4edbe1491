"""Buttons, icons, errors and other small things that every room draws with."""

from typing import Any

import reflex as rx

from chat_app.i18n import say, tell
from chat_app.plain_text import UNTITLED
from chat_app.scripts import react_component
from chat_app.ui.styles import NAME

copy_button = react_component("ui/copy_button.jsx", "CopyButton", text=str, label=str)
"""A button that copies `text`."""


def icon(name: str, size: int = 16, **props: Any) -> rx.Component:
    """A decorative icon; its meaning is in the text beside it or in a label."""
    return rx.icon(name, size=size, custom_attrs={"aria-hidden": "true"}, **props)


def icon_button(name: str, label: str | rx.Var[str], *, test_id: str = "", **props: Any) -> rx.Component:
    """A square button that is only an icon, with a label for those who cannot see it; `test_id` as of `button`."""
    class_name = f"icon-button {props.pop('class_name', '')}".strip()
    attributes = _attributes(test_id, props)
    return rx.el.button(
        icon(name), type="button", class_name=class_name, aria_label=label, title=label, **attributes
    )


def button(
    text: str | rx.Var[str], *, icon_name: str = "", kind: str = "", test_id: str = "", **props: Any
) -> rx.Component:
    """A button with words; `kind` is "", "primary" or "danger", `test_id` the name that `testid` takes."""
    children = [icon(icon_name, 14)] if icon_name else []
    attributes: dict[str, Any] = {"type": "button"} | _attributes(test_id, props)
    return rx.el.button(*children, text, class_name=f"button {kind}", **attributes)


def _attributes(test_id: str, props: dict[str, Any]) -> dict[str, Any]:
    """Return the props of a button with its test id among the others."""
    return props | {"custom_attrs": props.get("custom_attrs", {}) | testid(test_id)} if test_id else props


def error_note(
    sentence: rx.Var[str], info: rx.Var[dict[str, Any]], class_name: str = "field-error"
) -> rx.Component:
    """Why something was not done, with the code and params of the sentence; nothing while it is ""."""
    return rx.cond(sentence != "", rx.el.p(tell(sentence, info), class_name=class_name, role="alert"))


def titled(key: str) -> rx.Var[str]:
    """Return what the browser's tab says of a page beside the threads."""
    return rx.Var.create(f"{say(key)} · {NAME}").to(str)


def testid(name: str, **data: Any) -> dict[str, Any]:
    """Attributes that tests, and scripts, find an element by."""
    return {"data-testid": name} | {f"data-{key.replace('_', '-')}": value for key, value in data.items()}


def keyed(key: rx.Var[str], component: rx.Component) -> rx.Component:
    """A row of a list that keeps its place in the page by `key`, not by its number."""
    return rx.fragment(component, key=key)


def thread_name(title: rx.Var[str]) -> rx.Var[str]:
    """A thread's title; of a thread that has none yet, the words for that in the person's language."""
    return rx.cond(title == UNTITLED, say("sidebar.new_chat"), title)
