"""The page of a new chat and the page of a thread."""

import reflex as rx

from chat_app.components.dock import dock, greeting
from chat_app.components.messages import messages
from chat_app.components.notes import thread_note
from chat_app.components.run_drawer import run_drawer
from chat_app.components.topbar import topbar
from chat_app.components.turn import notice
from chat_app.extensions import Content, register_page
from chat_app.state.defaults import Defaults
from chat_app.state.inbox import Inbox
from chat_app.state.offers import Offers
from chat_app.state.open_thread import OpenThread, Stream
from chat_app.state.threads import ThreadList
from chat_app.state.timeline import Timeline
from chat_app.styles import NAME
from chat_app.words import say, tell

ON_LOAD = [Stream.open, ThreadList.open, Offers.open, Defaults.open, Inbox.open, Timeline.open]
"""Reload, navigation and reconnection all run these: show what is known, then follow by cursor. The thread comes first."""


@register_page("/", NAME, on_load=ON_LOAD)
def new_chat() -> Content:
    """`/`: an empty page that begins a thread with the first message."""
    return Content(greeting(), notice(), bar=topbar())


@register_page("/chat/[thread_id]", NAME, on_load=ON_LOAD)
def thread() -> Content:
    """`/chat/[thread_id]`: a thread, or a friendly word when there is none."""
    return Content(
        rx.match(
            OpenThread.phase,
            (
                "missing",
                thread_note(say("notes.missing"), say("notes.missing_why")),
            ),
            ("deleted", thread_note(say("notes.deleted"), say("notes.deleted_why"))),
            ("trouble", thread_note(say("notes.trouble"), tell(OpenThread.notice, OpenThread.notice_info))),
            rx.fragment(messages(), dock()),
        ),
        bar=topbar(),
        drawer=run_drawer(),
    )
