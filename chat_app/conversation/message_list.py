"""The column of messages, and the state of the turn below it."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.composer.react import outbox
from chat_app.conversation.react import viewport
from chat_app.conversation.turn_footer import turn_state
from chat_app.i18n import say
from chat_app.messages.message import message_row, queued_message
from chat_app.thread.open_thread import OpenThread
from chat_app.thread.views import MessageView
from chat_app.ui.controls import button, keyed, testid


def messages() -> rx.Component:
    """History, the turn under way and how it stands, then what waits and what is on its way."""
    return viewport(
        earlier(),
        rx.foreach(OpenThread.history + OpenThread.turn, _row),
        turn_state(),
        rx.foreach(OpenThread.queued, lambda message: keyed(message.id, queued_message(message=message))),
        outbox(thread=OpenThread.open_id, known=OpenThread.known),
        thread=OpenThread.open_id,
        anchor=OpenThread.anchor,
        sent=OpenThread.sent,
        running=OpenThread.is_running,
        on_seek=OpenThread.seek,
    )


def _row(message: rx.Var[MessageView], place: rx.Var[int]) -> rx.Component:
    """One list for both: a message that leaves the turn under way keeps its place in the page."""
    start = OpenThread.history.length()
    return keyed(
        message.id,
        rx.fragment(rx.cond(place == start, left_out()), message_row(message=message, now=place >= start)),
    )


def earlier() -> rx.Component:
    """A way to the messages before those shown."""
    return rx.cond(
        OpenThread.earlier,
        rx.el.div(
            button(say("message.earlier"), on_click=OpenThread.show_earlier, custom_attrs=testid("earlier")),
            class_name="earlier",
        ),
    )


def left_out() -> rx.Component:
    """A way to the messages between those that a link led to and the turn."""
    return rx.cond(
        OpenThread.left_out > 0,
        rx.el.div(
            button(
                say("message.left_out", count=OpenThread.left_out),
                on_click=OpenThread.show_left_out,
                custom_attrs=testid("left-out"),
            ),
            class_name="earlier",
        ),
    )
