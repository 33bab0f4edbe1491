"""Shared controls: buttons, icons, error notes and other small components."""

from typing import Any

import reflex as rx

from chat_app.i18n import say, tell
from chat_app.plain_text import UNTITLED
from chat_app.scripts import react_component
from chat_app.ui.styles import NAME

copy_button = react_component("ui/copy_button.jsx", "CopyButton", text=str, label=str)
"""Button that copies `text` to the clipboard."""


def icon(name: str, size: int = 16, **props: Any) -> rx.Component:
    """Render a decorative icon, whose meaning must be in the text next to it or in a label."""
    return rx.icon(name, size=size, custom_attrs={"aria-hidden": "true"}, **props)


def icon_button(name: str, label: str | rx.Var[str], *, test_id: str = "", **props: Any) -> rx.Component:
    """Render a square button with only an icon and an accessible label; `test_id` as of `button`."""
    class_name = f"icon-button {props.pop('class_name', '')}".strip()
    attributes = _attributes(test_id, props)
    return rx.el.button(
        icon(name), type="button", class_name=class_name, aria_label=label, title=label, **attributes
    )


def button(
    text: str | rx.Var[str], *, icon_name: str = "", kind: str = "", test_id: str = "", **props: Any
) -> rx.Component:
    """Render a button with text; `kind` is "", "primary" or "danger", `test_id` the name for `testid`."""
    children = [icon(icon_name, 14)] if icon_name else []
    attributes: dict[str, Any] = {"type": "button"} | _attributes(test_id, props)
    return rx.el.button(*children, text, class_name=f"button {kind}", **attributes)


def _attributes(test_id: str, props: dict[str, Any]) -> dict[str, Any]:
    """Return the props of a button with its test id added to the custom attributes."""
    return props | {"custom_attrs": props.get("custom_attrs", {}) | testid(test_id)} if test_id else props


def error_note(
    sentence: rx.Var[str], info: rx.Var[dict[str, Any]], class_name: str = "field-error"
) -> rx.Component:
    """Render an error sentence, translated by its code and params in `info`; nothing while it is ""."""
    return rx.cond(sentence != "", rx.el.p(tell(sentence, info), class_name=class_name, role="alert"))


def titled(key: str) -> rx.Var[str]:
    """Return the browser title of a page other than a thread's."""
    return rx.Var.create(f"{say(key)} · {NAME}").to(str)


def testid(name: str, **data: Any) -> dict[str, Any]:
    """Return the attributes by which tests and scripts find an element."""
    return {"data-testid": name} | {f"data-{key.replace('_', '-')}": value for key, value in data.items()}


def keyed(key: rx.Var[str], component: rx.Component) -> rx.Component:
    """Wrap a row of a list so that React identifies it by `key` instead of its index."""
    return rx.fragment(component, key=key)


def thread_name(title: rx.Var[str]) -> rx.Var[str]:
    """Return a thread's title; for an untitled thread, the placeholder in the user's language."""
    return rx.cond(title == UNTITLED, say("sidebar.new_chat"), title)
