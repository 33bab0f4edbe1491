"""A list of threads, as the sidebar and the archive show it."""

import reflex as rx

from chat_app.thread_list.react import threads
from chat_app.thread_list.thread_list import Archive, ThreadList


def thread_rows(rows: type[ThreadList] | type[Archive], name: str, empty: rx.Var[str]) -> rx.Component:
    """A list of threads, and what can be done with each; `empty` is said when there are none."""
    return threads(
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
