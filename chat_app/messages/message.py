"""Rows of messages: a user's text in a bubble, an answer as prose with its tool rows."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

from collections.abc import Callable
from typing import Any

import reflex as rx

from chat_app.i18n import say
from chat_app.messages.message_actions import Actions
from chat_app.scripts import react_component
from chat_app.text.react import stream_markdown
from chat_app.thread.live_text import LiveText
from chat_app.thread.open_thread import OpenThread, OpenThreadText
from chat_app.thread.views import MessageView, PartView
from chat_app.tools.tool_row import tool_row
from chat_app.ui.controls import icon, keyed, testid

TextPart = Callable[[rx.Var[PartView]], rx.Component]

file_list = react_component("files/files.jsx", "Files", files=list[Any])
"""Render the files of a message, given as `FileView`s."""

_bubble = react_component(
    "messages/user_message.jsx", "Bubble", message_id=str, text=str, has_files=bool, on_save=(str, str)
)
"""Render a user's text and the field to edit it; `on_save` takes the message's id and the new text."""

_message_actions = react_component(
    "messages/message_actions.jsx",
    "MessageActions",
    message_id=str,
    role=str,
    text=str,
    parts=list[Any],
    whole=bool,
    place=int,
    count=int,
    previous=str,
    next=str,
    vote=str,
    on_regenerate=(str,),
    on_select=(str,),
    on_fork=(str,),
    on_vote=(str, str),
)
"""Render the row of actions on a message.

`whole` is whether `text` is the user's full text; `place`, `count`, `previous` and `next` describe the
message's versions; `vote` is up, down or "". Every handler takes the id of a message: this one, or the
version to select; `on_vote` also takes the vote.
"""


@rx.memo
def message_row(message: rx.Var[MessageView], now: rx.Var[bool]) -> rx.Component:
    """Render a message; `now` is whether it belongs to the current turn.

    A message stays the same component from its first word on, also when the next turn begins, so that a
    selection of text in it is kept.
    """
    return _message(message, lambda part: text_part(OpenThreadText, part), now)


@rx.memo
def queued_message(message: rx.Var[MessageView]) -> rx.Component:
    """Render a queued message, sent while the agent was at work.

    After a turn that was stopped or has failed, the message stays on hold until the user goes on, and says so.
    """
    waits = rx.match(
        OpenThread.status,
        ("stopped", say("message.held_stopped")),
        ("failed", say("message.held_failed")),
        ("completed", say("message.held")),
        say("message.waits"),
    )
    return rx.el.article(
        file_list(files=message.files),
        rx.cond(message.text != "", rx.el.div(message.text, class_name="bubble", dir="auto")),
        rx.el.div(
            rx.el.span(waits, custom_attrs=testid("queue-state")),
            _queue_button(
                "arrow-up",
                say("message.send_now"),
                rx.cond(OpenThread.is_running, say("message.send_now_why"), say("message.send_now")),
                Actions.send_now(message.id),
                "send-now",
            ),
            _queue_button(
                "pencil",
                say("message.take_back"),
                say("message.take_back_why"),
                Actions.take_back(message.id),
                "take-back",
            ),
            _queue_button(
                "x",
                say("message.withdraw"),
                say("message.withdraw"),
                Actions.withdraw(message.id),
                "withdraw",
            ),
            class_name="more waiting",
        ),
        class_name="message user queued",
        aria_label=say("message.yours_queued"),
        custom_attrs=testid("message", role="user", message_id=message.id, queued=True),
    )


def _queue_button(
    name: str, words: rx.Var[str], why: rx.Var[str], on_click: Any, test_id: str
) -> rx.Component:
    return rx.el.button(
        icon(name, 14),
        words,
        type="button",
        title=why,
        on_click=on_click.throttle(1000),  # count a double click once
        custom_attrs=testid(test_id),
    )


def text_part(stream: type[LiveText], part: rx.Var[PartView]) -> rx.Component:
    """Render a text part, which grows with the live text of `stream`."""
    return rx.el.div(
        stream_markdown(
            name=part.key,
            run=part.run,
            text=part.text,
            live=part.live,
            source=stream.get_full_name(),
            on_gap=stream.resend,
        ),
        custom_attrs=testid("stream", live=part.live),
    )


def _message(message: rx.Var[MessageView], text: TextPart, now: rx.Var[bool]) -> rx.Component:
    when = rx.cond(now, " now", "")
    return rx.cond(
        message.role == "assistant",
        rx.el.article(
            rx.foreach(message.parts, lambda part: keyed(part.key, part_row(part, text))),
            file_list(files=message.files),
            _actions(message),
            class_name=f"message assistant{when}",
            aria_label=say("message.answer"),
            custom_attrs=testid("message", role=message.role, message_id=message.id),
        ),
        rx.el.article(
            file_list(files=message.files),
            _bubble(
                message_id=message.id,
                text=message.text,
                has_files=message.files.length() > 0,
                on_save=Actions.edit,
            ),
            rx.cond(message.hidden > 0, _more_button(message)),
            _actions(message),
            class_name=f"message user{when}",
            aria_label=say("message.yours"),
            custom_attrs=testid("message", role=message.role, message_id=message.id),
        ),
    )


def _actions(message: rx.Var[MessageView]) -> rx.Component:
    return _message_actions(
        message_id=message.id,
        role=message.role,
        text=message.text,
        parts=message.parts,
        whole=message.hidden == 0,
        place=message.place,
        count=message.count,
        previous=message.previous,
        next=message.next,
        on_regenerate=Actions.regenerate,
        on_select=Actions.select,
        vote=message.vote,
        on_fork=Actions.fork,
        on_vote=Actions.vote,
    )


def _more_button(message: rx.Var[MessageView]) -> rx.Component:
    return rx.el.button(
        say("message.more", count=message.hidden),
        type="button",
        class_name="more",
        on_click=OpenThread.show_more(message.id),
        custom_attrs=testid("show-more"),
    )


def part_row(part: rx.Var[PartView], text: TextPart) -> rx.Component:
    """Render a part of a message; `text` renders text parts."""
    return rx.match(
        part.kind,
        ("text", text(part)),
        ("reasoning", _reasoning(part, text)),
        ("tool", tool_row(tool=part.tool)),
        ("source", _source(part)),
        (
            "note",
            rx.el.p(icon("scissors", 14), _note(part), class_name="aside", custom_attrs=testid("note")),
        ),
        rx.fragment(),
    )


def _note(part: rx.Var[PartView]) -> rx.Var[str]:
    """Return the note on text that was not sent to the model, because the thread outgrew its context."""
    return rx.match(
        part.text,
        ("left_out", say("note.left_out", count=part.turns)),
        ("summed_up", say("note.summed_up", count=part.turns)),
        say("note.shortened"),
    )


def _reasoning(part: rx.Var[PartView], text: TextPart) -> rx.Component:
    return rx.el.details(
        rx.el.summary(
            rx.cond(
                part.live,
                rx.el.span(say("turn.thinking"), class_name="breathe"),
                rx.el.span(say("message.thoughts")),
            ),
            icon("chevron-right", 14, class_name="chevron"),
        ),
        text(part),
        class_name="reasoning",
        custom_attrs=testid("reasoning", live=part.live),
    )


def _source(part: rx.Var[PartView]) -> rx.Component:
    return rx.cond(
        part.url != "",
        rx.el.a(
            part.text, href=part.url, target="_blank", rel="noopener noreferrer nofollow", class_name="source"
        ),
        rx.el.span(part.text, class_name="source"),
    )
