"""The sidebar: new chat, the list of threads, and which model answers."""

import reflex as rx
from reflex_components_core.react_router import link

from chat_app.components.controls import button, icon, icon_button, keyed, testid
from chat_app.components.inbox import inbox_link
from chat_app.react import ago
from chat_app.state import ThreadList
from chat_app.state.view import ThreadItem
from chat_app.words import say

DRAWER = "sidebar"
_close_drawer = rx.call_function(
    rx.Var(
        f"() => document.getElementById('{DRAWER}')?.matches(':popover-open') && document.getElementById('{DRAWER}').hidePopover()"
    )
)


def sidebar() -> rx.Component:
    """A column beside the page; on phones a drawer, which the browser's own popover opens and closes."""
    return rx.el.nav(
        rx.el.div(icon("sparkles", 18), rx.el.span("Durable Agents"), class_name="brand"),
        link(
            icon("square-pen"),
            say("sidebar.new_chat"),
            to="/",
            class_name="new-chat",
            on_click=_close_drawer,
            custom_attrs=testid("new-chat") | {"prefetch": "render"},
        ),
        thread_list(),
        rx.el.div(
            rx.el.span(ThreadList.model, class_name="model", title=ThreadList.model),
            inbox_link(on_click=_close_drawer),
            theme_toggle(),
            class_name="sidebar-foot",
        ),
        id=DRAWER,
        class_name="sidebar",
        aria_label="Threads",
        custom_attrs={"popover": "auto"},
    )


def thread_list() -> rx.Component:
    """Every thread, the newest activity first."""
    return rx.el.div(
        rx.el.h2("Threads"),
        rx.cond(
            ThreadList.loaded & (ThreadList.items.length() == 0),
            rx.el.p("Nothing here yet.", class_name="nothing"),
            rx.el.ul(
                rx.foreach(
                    ThreadList.items,
                    lambda item: keyed(
                        item.id,
                        thread_row(
                            item=item,
                            active=item.id == ThreadList.active_id,
                            confirming=item.id == ThreadList.confirming_id,
                        ),
                    ),
                ),
            ),
        ),
        class_name="thread-list",
        custom_attrs=testid("thread-list"),
    )


@rx.memo
def thread_row(item: rx.Var[ThreadItem], active: rx.Var[bool], confirming: rx.Var[bool]) -> rx.Component:
    """One thread: a link, or the question whether to delete it."""
    return rx.cond(confirming, _delete_question(item), _thread_link(item, active))


def _thread_link(item: rx.Var[ThreadItem], active: rx.Var[bool]) -> rx.Component:
    return rx.el.li(
        link(
            rx.el.span(class_name="dot", custom_attrs={"data-tone": item.tone}),
            rx.el.span(item.title, class_name="title"),
            ago(at=item.at),
            to="/chat/" + item.id.to(str),
            on_click=_close_drawer,
            title=item.title,
            custom_attrs={"aria-current": rx.cond(active, "page", "false")},
        ),
        icon_button("trash-2", "Delete thread", class_name="small", on_click=ThreadList.ask_delete(item.id)),
        class_name="thread-item",
        custom_attrs=testid("thread-item", thread_id=item.id, active=active, tone=item.tone),
    )


def _delete_question(item: rx.Var[ThreadItem]) -> rx.Component:
    return rx.el.li(
        rx.el.span("Delete?"),
        button(
            "Delete",
            kind="danger",
            auto_focus=True,
            on_click=ThreadList.delete(item.id),
            custom_attrs=testid("delete-confirm"),
        ),
        button("Keep", on_click=ThreadList.ask_delete("")),
        class_name="thread-item confirm",
        custom_attrs=testid("thread-item", thread_id=item.id),
    )


def theme_toggle() -> rx.Component:
    """Light or dark; the system's preference until it is used."""
    label = "Switch between light and dark"
    return rx.el.button(
        rx.color_mode_cond(icon("moon"), icon("sun")),
        type="button",
        class_name="icon-button",
        aria_label=label,
        title=label,
        on_click=rx.toggle_color_mode,
        custom_attrs=testid("theme"),
    )
