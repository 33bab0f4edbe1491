"""The page of the archive."""

import reflex as rx

from chat_app.components.shell import shell
from chat_app.components.thread_rows import thread_rows
from chat_app.state.inbox import Inbox
from chat_app.state.open_thread import Stream
from chat_app.state.threads import Archive, ThreadList
from chat_app.words import say

ON_LOAD = [Stream.leave, Archive.open, ThreadList.open, Inbox.open]


def archive() -> rx.Component:
    """`/archive`: the threads that were put away, and how to take them out again."""
    return shell(
        rx.el.section(
            thread_rows(Archive, "archive", say("sidebar.archive_empty")),
            class_name="archive",
        ),
        bar=rx.el.h1(say("sidebar.archived")),
    )
