"""The page of a link to a thread: to be read, by whoever has it, as it goes on."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.extensions import register_page
from chat_app.i18n import FILES, say, speak
from chat_app.sharing.shared_message import shared_row
from chat_app.sharing.shared_thread import Shared, SharedText
from chat_app.ui.controls import keyed, testid, thread_name
from chat_app.ui.message_page import thread_note
from chat_app.ui.styles import NAME


@register_page("/share/[token]", NAME, on_load=SharedText.open, alone=True)
def share() -> rx.Component:
    """`/share/[token]`: title and messages, and nothing else of the app."""
    return rx.fragment(
        speak(files=FILES),
        rx.el.main(
            rx.match(
                Shared.phase,
                ("ready", _thread()),
                ("missing", thread_note(say("share.missing"), say("share.missing_why"))),
                ("over", thread_note(say("share.over"), say("share.over_why"))),
                rx.fragment(),
            ),
            class_name="share",
        ),
    )


def _thread() -> rx.Component:
    return rx.el.div(
        rx.el.header(
            rx.el.h1(thread_name(Shared.title), dir="auto", custom_attrs=testid("title")),
            rx.el.p(say("share.read_only")),
        ),
        rx.foreach(
            Shared.messages + Shared.turn, lambda message: keyed(message.id, shared_row(message=message))
        ),
        rx.cond(Shared.thinking, rx.el.div(say("turn.thinking"), class_name="shimmer")),
        class_name="column",
        custom_attrs=testid("shared"),
    )
