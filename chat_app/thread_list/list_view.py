"""The lists of threads as they are drawn: the sidebar's, and the page of the archive."""

import reflex as rx

from chat_app.extensions import Content, register_page
from chat_app.i18n import say
from chat_app.scripts import react_component
from chat_app.thread_list.thread_list import Archive, ThreadList
from chat_app.thread_list.thread_views import ThreadPatch
from chat_app.ui.controls import titled

_threads = react_component(
    "thread_list/threads.jsx",
    "Threads",
    list=str,
    patch=ThreadPatch,
    active_id=str,
    empty=str,
    on_gap=(),
    on_more=(int,),
    on_keep=(int,),
    on_rename=(str, str),
    on_pin=(str, bool),
    on_archive=(str, bool),
    on_delete=(str,),
    on_restore=(str, bool),
)
"""A list of threads in groups by date; its rows are kept in the browser, and patches change them.

`list` names the rows: "main", or "archive". `on_more` gets how many rows there are, `on_keep` how many there were before
the connection was lost, `on_restore` whether the thread is to be opened again; `on_gap` asks for everything.
"""

toast = react_component("thread_list/toast.jsx", "Toast", seconds=int)
"""What was deleted, and Undo, for `seconds`; one per page."""


def thread_rows(rows: type[ThreadList] | type[Archive], name: str, empty: rx.Var[str]) -> rx.Component:
    """A list of threads, and what can be done with each; `empty` is said when there are none."""
    return _threads(
        list=name,
        patch=rows.patch,
        active_id=rows.active_id,
        empty=empty,
        on_gap=rows.resend,
        on_more=rows.load_more,
        on_keep=rows.keep,
        on_rename=rows.rename,
        on_pin=rows.pin,
        on_archive=rows.archive,
        on_delete=rows.delete,
        on_restore=rows.restore,
    )


@register_page("/archive", titled("sidebar.archived"), on_load=Archive.open)
def archive() -> Content:
    """`/archive`: the threads that were put away, and how to take them out again."""
    return Content(
        rx.el.section(thread_rows(Archive, "archive", say("sidebar.archive_empty")), class_name="archive"),
        bar=rx.el.h1(say("sidebar.archived")),
    )
