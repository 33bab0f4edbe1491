"""Page of a shared thread, which anyone with its link can read."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.extensions import register_page
from chat_app.i18n import FILES, language_loader, say
from chat_app.messages.message import TextPart, file_list, part_row, text_part
from chat_app.sharing.shared_thread import Shared, SharedText
from chat_app.thread.views import MessageView
from chat_app.ui.controls import keyed, testid, thread_name
from chat_app.ui.page_column import thread_note
from chat_app.ui.styles import NAME


@register_page("/share/[token]", NAME, on_load=SharedText.open, alone=True)
def share() -> rx.Component:
    """Render the page `/share/[token]`: title and messages, and nothing else of the app."""
    return rx.fragment(
        language_loader(files=FILES),
        rx.el.main(
            rx.match(
                Shared.phase,
                ("ready", _thread()),
                ("missing", thread_note(say("share.missing"), say("share.missing_why"))),
                ("revoked", thread_note(say("share.revoked"), say("share.revoked_why"))),
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
            Shared.messages + Shared.turn, lambda message: keyed(message.id, _shared_row(message=message))
        ),
        rx.cond(Shared.thinking, rx.el.div(say("turn.thinking"), class_name="breathe")),
        class_name="column",
        custom_attrs=testid("shared"),
    )


@rx.memo
def _shared_row(message: rx.Var[MessageView]) -> rx.Component:
    """Render a read-only message."""
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
