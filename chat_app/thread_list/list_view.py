"""Views of the thread lists: the sidebar and the archive page."""

from typing import Any

import reflex as rx

from chat_app.extensions import Content, register_page
from chat_app.i18n import say
from chat_app.scripts import react_component
from chat_app.thread_list.thread_list import Archive, ThreadList
from chat_app.thread_list.thread_views import ThreadPatch
from chat_app.ui.controls import titled

MENU_EVENTS: dict[str, Any] = {
    "on_rename": (str, str),
    "on_pin": (str, bool),
    "on_archive": (str, bool),
    "on_delete": (str,),
    "on_restore": (str, bool),
    "on_export": (str, dict[str, str]),
    "on_share": (str,),
    "on_unshare": (str,),
}
"""Types of the arguments of the events of a thread's menu, for components that show one; see `menu_events`."""

_threads = react_component(
    "thread_list/threads.jsx",
    "Threads",
    list=str,
    patch=ThreadPatch,
    active_id=str,
    empty=str,
    on_gap=(),
    on_more=(int,),
    on_reconnect=(int,),
    **MENU_EVENTS,
)
"""List of threads grouped by date; the browser keeps the rows, and patches change them.

`list` names the rows: "main" or "archive". `on_more` gets the number of rows, `on_reconnect` the number of rows
before the connection was lost, `on_restore` whether to open the thread again, `on_export` the labels of the roles;
`on_gap` requests all rows.
"""

toast = react_component("thread_list/toast.jsx", "Toast", seconds=int)
"""Toast that names a deleted or archived thread and offers Undo for `seconds`; one per page."""


def thread_rows(rows: type[ThreadList] | type[Archive], name: str, empty: rx.Var[str]) -> rx.Component:
    """Render a list of threads with the actions on each; `empty` is shown if there are no threads."""
    return _threads(
        list=name,
        patch=rows.patch,
        active_id=rows.active_id,
        empty=empty,
        on_gap=rows.resend,
        on_more=rows.load_more,
        on_reconnect=rows.restore_rows,
        **menu_events(rows),
    )


def menu_events(rows: type[ThreadList] | type[Archive]) -> dict[str, Any]:
    """Return the handlers of what a thread's menu does, by the names of the component's events."""
    return {
        "on_rename": rows.rename,
        "on_pin": rows.pin,
        "on_archive": rows.archive,
        "on_delete": rows.delete,
        "on_restore": rows.restore,
        "on_export": rows.export,
        "on_share": rows.share,
        "on_unshare": rows.unshare,
    }


@register_page("/archive", titled("sidebar.archived"), on_load=Archive.open)
def archive() -> Content:
    """Render `/archive`, the page of the archived threads, where they can be restored."""
    return Content(
        rx.el.section(thread_rows(Archive, "archive", say("sidebar.archive_empty")), class_name="archive"),
        bar=rx.el.h1(say("sidebar.archived")),
    )
