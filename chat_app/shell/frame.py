"""The frame around every page."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from chat_app.extensions import Content, Draw, Page
from chat_app.i18n import FILES, say, speak
from chat_app.inbox.inbox import Inbox
from chat_app.scripts import react_component
from chat_app.search.search import search_dialog
from chat_app.shell.sidebar import DRAWER, sidebar
from chat_app.thread.open_thread import OpenThread, OpenThreadText
from chat_app.thread_list.list_view import toast
from chat_app.thread_list.thread_list import UNDO_SECONDS, ThreadList
from chat_app.ui.controls import icon, icon_button, testid
from chat_app.ui.page_column import thread_note

_reconnect_guard = react_component("shell/reconnect_guard.jsx", "ReconnectGuard", root=str, view=str)
"""Keeps showing the page while the tab's state is sent anew.

`root` and `view` name the state classes that tell: the first by `is_hydrated`, the second by a var `phase` that is
"loading".
"""

ON_LOAD = [OpenThreadText.leave, ThreadList.open, Inbox.open]
"""What every page in the frame does first: it shows no thread, the list of threads, and what waits."""


def framed(draw: Draw) -> Callable[[], rx.Component]:
    """Return a page with the frame around its content; a component is the whole page already."""

    @wraps(draw)
    def page() -> rx.Component:
        made = draw()
        return shell(*made.body, bar=made.bar, drawer=made.drawer) if isinstance(made, Content) else made

    return page


def events_of(page: Page) -> list[Any]:
    """Return what runs whenever a page opens.

    The frame's events that a page names itself have their place among its own; a page that opens a
    thread of the app's does not leave it.
    """
    if page.alone:
        return list(page.on_load)
    opens = OpenThreadText.open in page.on_load
    frame = [
        event
        for event in ON_LOAD
        if event not in page.on_load and not (opens and event == OpenThreadText.leave)
    ]
    return [*frame, *page.on_load]


def shell(
    *children: rx.Component, bar: rx.Component | None = None, drawer: rx.Component | None = None
) -> rx.Component:
    """Sidebar and main column; `bar` is the content of the top bar, `drawer` that beside the column."""
    frame = rx.el.div(
        sidebar(),
        rx.el.main(
            rx.el.header(
                icon_button(
                    "panel-left",
                    say("sidebar.threads"),
                    class_name="menu",
                    custom_attrs={"popoverTarget": DRAWER, "data-testid": "menu"},
                ),
                bar or rx.fragment(),
                class_name="topbar",
            ),
            *children,
            class_name="main",
        ),
        search_dialog(),
        toast(seconds=UNDO_SECONDS),
        drawer or rx.fragment(),
        class_name="app",
    )
    return _reconnect_guard(
        speak(files=FILES), frame, root=rx.State.get_full_name(), view=OpenThread.get_full_name()
    )


def not_found() -> Content:
    """The page for an unknown address: a friendly word and a way back."""
    return Content(thread_note(say("page.no_page"), say("page.no_page_why")))


def reconnect_banner() -> rx.Component:
    """A quiet word once the server has been out of reach for three seconds; nothing else changes.

    The page goes on showing what it has, what is sent meanwhile waits, and the subscription takes up
    at the cursor by itself. The three seconds are the delay of the animation.
    """
    return rx.cond(
        has_connection_errors,
        rx.el.div(
            icon("wifi-off", 14),
            say("app.reconnecting"),
            class_name="reconnect",
            role="status",
            custom_attrs=testid("reconnect"),
        ),
    )
