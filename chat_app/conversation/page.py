"""The page of a new chat and the page of a thread."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.agent_choice.choices import Offers
from chat_app.agent_choice.new_chat_defaults import Defaults
from chat_app.composer.composer_bar import dock, greeting
from chat_app.conversation.message_list import messages
from chat_app.conversation.topbar import topbar
from chat_app.conversation.turn_footer import notice
from chat_app.extensions import Content, register_page
from chat_app.i18n import say, tell
from chat_app.inbox.inbox import Inbox
from chat_app.thread.open_thread import OpenThread, Stream
from chat_app.thread_list.thread_list import ThreadList
from chat_app.timeline.run_drawer import run_drawer
from chat_app.timeline.timeline import Timeline
from chat_app.ui.message_page import thread_note
from chat_app.ui.styles import NAME

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
