"""A message of a shared thread, for somebody who may only read."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.files.react import file_list
from chat_app.messages.message import TextPart, part_row, text_part
from chat_app.sharing.shared_thread import SharedText
from chat_app.thread.views import MessageView
from chat_app.ui.controls import keyed, testid


@rx.memo
def shared_row(message: rx.Var[MessageView]) -> rx.Component:
    """A message for somebody who may only read."""
    return _shared(message, lambda part: text_part(SharedText, part))


def _shared(message: rx.Var[MessageView], text: TextPart) -> rx.Component:
    return rx.el.article(
        rx.cond(
            message.role == "assistant",
            rx.fragment(
                rx.foreach(message.parts, lambda part: keyed(part.key, part_row(part, text))),
                file_list(files=message.files),
            ),
            rx.fragment(
                file_list(files=message.files),
                rx.cond(message.text != "", rx.el.div(message.text, class_name="bubble", dir="auto")),
            ),
        ),
        class_name="message " + message.role.to(str),
        custom_attrs=testid("message", role=message.role),
    )
