"""The page for an address that leads nowhere."""

from chat_app.extensions import Content
from chat_app.i18n import say
from chat_app.ui.message_page import thread_note


def not_found() -> Content:
    """A friendly word and a way back."""
    return Content(thread_note(say("notes.no_page"), say("notes.no_page_why")))
