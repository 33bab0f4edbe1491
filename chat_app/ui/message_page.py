"""A page that has only a few words to say, and a way back."""

import reflex as rx
from reflex_components_core.react_router import link

from chat_app.i18n import say
from chat_app.ui.controls import testid


def thread_note(heading: rx.Var[str] | str, words: rx.Var[str] | str) -> rx.Component:
    """A heading, a sentence, and a link to the page of a new chat."""
    return rx.el.div(
        rx.el.h2(heading),
        rx.el.p(words),
        link(say("notes.new_chat"), to="/", class_name="button primary"),
        class_name="page-note",
        custom_attrs=testid("page-note"),
    )
