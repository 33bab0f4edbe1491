"""A message of a shared thread, for somebody who may only read."""

import reflex as rx

from chat_app.components.controls import keyed, testid
from chat_app.components.message import TextPart, part_row, text_part
from chat_app.react.files import file_list
from chat_app.state.shared import SharedText
from chat_app.state.view import MessageView


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
