"""The page of everything that waits for the person."""

import reflex as rx

from chat_app.components.controls import testid, titled
from chat_app.components.inbox import inbox_list
from chat_app.extensions import Content, register_page
from chat_app.words import say


@register_page("/inbox", titled("inbox.title"))
def inbox() -> Content:
    """`/inbox`: approvals and questions of all threads, to be answered here."""
    return Content(inbox_list(), bar=rx.el.h1(say("inbox.title"), custom_attrs=testid("title")))
