"""The page of everything that waits for the person."""

import reflex as rx

from chat_app.extensions import Content, register_page
from chat_app.i18n import say
from chat_app.inbox.inbox_list import inbox_list
from chat_app.ui.controls import testid, titled


@register_page("/inbox", titled("inbox.title"))
def inbox() -> Content:
    """`/inbox`: approvals and questions of all threads, to be answered here."""
    return Content(inbox_list(), bar=rx.el.h1(say("inbox.title"), custom_attrs=testid("title")))
