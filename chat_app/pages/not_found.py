"""The page for an address that leads nowhere."""

from chat_app.components.notes import thread_note
from chat_app.extensions import Content
from chat_app.words import say


def not_found() -> Content:
    """A friendly word and a way back."""
    return Content(thread_note(say("notes.no_page"), say("notes.no_page_why")))
