"""Frame around every page."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from chat_app.extensions import Content, Draw, Page
from chat_app.i18n import FILES, language_loader, say
from chat_app.inbox.inbox import Inbox
from chat_app.scripts import react_component
from chat_app.search.search import search_dialog
from chat_app.session.tab_state import Outage
from chat_app.shell.sidebar import DRAWER, sidebar
from chat_app.thread.open_thread import OpenThread, OpenThreadText
from chat_app.thread_list.list_view import toast
from chat_app.thread_list.thread_list import UNDO_SECONDS, ThreadList
from chat_app.ui.controls import icon, icon_button, testid
from chat_app.ui.page_column import thread_note

_reconnect_guard = react_component("shell/reconnect_guard.jsx", "ReconnectGuard", root=str, view=str)
"""Wrapper that keeps showing the page while the tab's state is sent again.

`root` and `view` name the state classes that show whether the state is complete: `root` by its `is_hydrated`,
`view` by a var `phase` other than "loading".
"""

ON_LOAD = [OpenThreadText.leave, ThreadList.open, Inbox.open]
"""Events that run when a page in the frame opens: leave the thread, open the thread list and the inbox."""


def framed(draw: Draw) -> Callable[[], rx.Component]:
    """Return a page with the frame around its content; a component is already the whole page."""

    @wraps(draw)
    def page() -> rx.Component:
        made = draw()
        return shell(*made.body, bar=made.bar, drawer=made.drawer) if isinstance(made, Content) else made

    return page


def events_of(page: Page) -> list[Any]:
    """Return the events that run when a page opens.

    An event of the frame that the page lists itself runs at its place in the page's list; a page that opens a
    thread does not leave it first.
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
    """Render the sidebar and the main column; `bar` is in the top bar, `drawer` beside the column."""
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
        language_loader(files=FILES), frame, root=rx.State.get_full_name(), view=OpenThread.get_full_name()
    )


def not_found() -> Content:
    """Render the page for an unknown address: a friendly note and a link to a new chat."""
    return Content(thread_note(say("page.no_page"), say("page.no_page_why")))


def reconnect_banner() -> rx.Component:
    """Render a quiet note once the server, or its Redis, has been away for three seconds; nothing else changes.

    The page keeps its content, messages that are sent meanwhile wait, and the subscription resumes at its
    cursor automatically. The three seconds are the delay of the animation.
    """
    return rx.cond(
        has_connection_errors | Outage.away,
        rx.el.div(
            icon("wifi-off", 14),
            say("app.reconnecting"),
            class_name="reconnect",
            role="status",
            custom_attrs=testid("reconnect"),
        ),
    )
