"""The page of the archive."""

import reflex as rx

from chat_app.extensions import Content, register_page
from chat_app.i18n import say
from chat_app.thread_list.list_view import thread_rows
from chat_app.thread_list.thread_list import Archive
from chat_app.ui.controls import titled


@register_page("/archive", titled("sidebar.archived"), on_load=Archive.open)
def archive() -> Content:
    """`/archive`: the threads that were put away, and how to take them out again."""
    return Content(
        rx.el.section(
            thread_rows(Archive, "archive", say("sidebar.archive_empty")),
            class_name="archive",
        ),
        bar=rx.el.h1(say("sidebar.archived")),
    )
