"""Sidebar: new chat, search, thread list, archive, and the name of the model that answers."""

import reflex as rx
from reflex_components_core.react_router import link

from chat_app.extensions import PAGES
from chat_app.i18n import say
from chat_app.inbox.page import inbox_link
from chat_app.settings.settings_tabs import settings_link
from chat_app.thread_list.list_view import thread_rows
from chat_app.thread_list.thread_list import ThreadList
from chat_app.ui.controls import icon, icon_button, testid
from chat_app.ui.styles import LOGO, NAME

DRAWER = "sidebar"
_close_drawer = rx.call_function(
    rx.Var(
        f"() => document.getElementById('{DRAWER}')?.matches(':popover-open') && document.getElementById('{DRAWER}').hidePopover()"
    )
)


def sidebar() -> rx.Component:
    """Render a column beside the page; on phones a drawer, as a native popover of the browser."""
    return rx.el.nav(
        rx.el.div(rx.el.img(src=LOGO, alt=""), rx.el.span(NAME), class_name="brand"),
        rx.el.div(
            link(
                icon("square-pen"),
                say("sidebar.new_chat"),
                to="/",
                class_name="new-chat",
                on_click=_close_drawer,
                custom_attrs=testid("new-chat") | {"prefetch": "render"},
            ),
            icon_button(
                "search",
                say("sidebar.search"),
                class_name="search",
                custom_attrs={"data-open-palette": "", "aria-keyshortcuts": "Control+K"},
                test_id="search",
            ),
            class_name="sidebar-head",
        ),
        *(
            link(
                page.title,
                to=page.route,
                class_name="nav-page",
                on_click=_close_drawer,
                custom_attrs=testid(f"nav-{page.route[1:]}"),
            )
            for page in PAGES.values()
            if page.nav
        ),
        thread_rows(ThreadList, "main", say("sidebar.nothing")),
        rx.el.div(
            rx.el.span(ThreadList.model, class_name="model", title=ThreadList.model),
            inbox_link(on_click=_close_drawer),
            link(
                icon("archive"),
                to="/archive",
                class_name="icon-button",
                aria_label=say("sidebar.archived"),
                title=say("sidebar.archived"),
                on_click=_close_drawer,
                custom_attrs=testid("archived"),
            ),
            settings_link(on_click=_close_drawer),
            _theme_toggle(),
            class_name="sidebar-foot",
        ),
        id=DRAWER,
        class_name="sidebar",
        aria_label=say("sidebar.threads"),
        custom_attrs={"popover": "auto"},
    )


def _theme_toggle() -> rx.Component:
    """Render the light/dark toggle; the system's preference applies until the toggle is used."""
    return rx.el.button(
        rx.color_mode_cond(icon("moon"), icon("sun")),
        type="button",
        class_name="icon-button",
        aria_label=say("sidebar.theme"),
        title=say("sidebar.theme"),
        on_click=rx.toggle_color_mode,
        custom_attrs=testid("theme"),
    )
