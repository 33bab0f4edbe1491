"""The page of everything that waits for the person."""

import reflex as rx

from chat_app.components.controls import testid
from chat_app.components.inbox import inbox_list
from chat_app.components.shell import shell
from chat_app.state.inbox import Inbox
from chat_app.state.open_thread import Stream
from chat_app.state.threads import ThreadList
from chat_app.words import say

ON_LOAD = [Stream.leave, ThreadList.open, Inbox.open]


def inbox() -> rx.Component:
    """`/inbox`: approvals and questions of all threads, to be answered here."""
    return shell(inbox_list(), bar=rx.el.h1(say("inbox.title"), custom_attrs=testid("title")))
