"""The page for an address that leads nowhere."""

import reflex as rx

from chat_app.components.notes import thread_note
from chat_app.components.shell import shell
from chat_app.words import say


def not_found() -> rx.Component:
    """A friendly word and a way back."""
    return shell(thread_note(say("notes.no_page"), say("notes.no_page_why")))
