"""One message: a person's words in a bubble, an assistant's as plain prose with its tool rows."""

from collections.abc import Callable

import reflex as rx

from chat_app.components.controls import icon, keyed, testid
from chat_app.components.tool import tool_row
from chat_app.react import markdown, stream_markdown
from chat_app.state import OpenThread, Stream
from chat_app.state.view import MessageView, PartView

TextPart = Callable[[rx.Var[PartView]], rx.Component]


@rx.memo
def history_message(message: rx.Var[MessageView]) -> rx.Component:
    """A message that will not change; it renders once."""
    return _message(message, lambda part: markdown(text=part.text))


@rx.memo
def turn_message(message: rx.Var[MessageView]) -> rx.Component:
    """A message of the turn under way, whose last text may be growing."""
    return _message(message, lambda part: growing_text(run=part.run, text=part.text, live=part.live))


@rx.memo
def queued_message(message: rx.Var[MessageView]) -> rx.Component:
    """What the person wrote while the agent was at work."""
    return rx.el.article(
        rx.el.div(message.text, class_name="bubble", dir="auto"),
        rx.el.span("Waits for its turn", class_name="more"),
        class_name="message user queued",
        aria_label="Your message, queued",
        custom_attrs=testid("message", role="user", message_id=message.id, queued=True),
    )


@rx.memo
def growing_text(run: rx.Var[str], text: rx.Var[str], live: rx.Var[bool]) -> rx.Component:
    """The one component that reads `Stream`, so that nothing else renders ten times a second."""
    return rx.el.div(
        stream_markdown(
            run=run,
            text=text,
            live=live,
            feed=Stream.run,
            offset=Stream.offset,
            chunk=Stream.chunk,
            on_gap=Stream.resend,
        ),
        custom_attrs=testid("stream", live=live),
    )


def _message(message: rx.Var[MessageView], text: TextPart) -> rx.Component:
    return rx.cond(
        message.role == "assistant",
        rx.el.article(
            rx.foreach(message.parts, lambda part: keyed(part.key, _part(part, text))),
            class_name="message assistant",
            aria_label="Answer",
            custom_attrs=testid("message", role=message.role, message_id=message.id),
        ),
        rx.el.article(
            rx.el.div(message.text, class_name="bubble", dir="auto"),
            rx.cond(message.hidden > 0, _more_button(message)),
            class_name="message user",
            aria_label="Your message",
            custom_attrs=testid("message", role=message.role, message_id=message.id),
        ),
    )


def _more_button(message: rx.Var[MessageView]) -> rx.Component:
    return rx.el.button(
        "Show more (",
        message.hidden.to(int).to_string(),
        " characters are not shown)",
        type="button",
        class_name="more",
        on_click=OpenThread.show_more(message.id),
        custom_attrs=testid("show-more"),
    )


def _part(part: rx.Var[PartView], text: TextPart) -> rx.Component:
    return rx.match(
        part.kind,
        ("text", text(part)),
        ("reasoning", _reasoning(part, text)),
        ("tool", tool_row(tool=part.tool)),
        ("source", _source(part)),
        ("note", rx.el.p(icon("scissors", 14), part.text, class_name="aside", custom_attrs=testid("note"))),
        rx.fragment(),
    )


def _reasoning(part: rx.Var[PartView], text: TextPart) -> rx.Component:
    return rx.el.details(
        rx.el.summary(
            rx.cond(part.live, rx.el.span("Thinking", class_name="shimmer"), rx.el.span("Thoughts")),
            icon("chevron-right", 14, class_name="chevron"),
        ),
        text(part),
        class_name="reasoning",
        custom_attrs=testid("reasoning", live=part.live),
    )


def _source(part: rx.Var[PartView]) -> rx.Component:
    return rx.cond(
        part.url != "",
        rx.el.a(part.text, href=part.url, target="_blank", rel="noopener noreferrer nofollow"),
        rx.el.span(part.text),
    )
