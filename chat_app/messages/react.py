"""Python wrappers of what stands on and below a message."""

from typing import Any

import reflex as rx

from chat_app.scripts import script
from chat_app.ui.event_specs import one_text, two_texts


class Bubble(rx.Component):
    """A person's words, and the field to write them anew; `on_save` gets the message's id and the words."""

    library = script("messages/user_message.jsx")
    tag = "Bubble"
    message_id: rx.Var[str]
    text: rx.Var[str]
    has_files: rx.Var[bool]
    on_save: rx.EventHandler[two_texts]


class MessageActions(rx.Component):
    """The row of what can be done with a message.

    `whole` is whether `text` is all of a person's words; `place`, `count`, `previous` and `next` are
    its versions; `vote` is up, down or "". Every handler gets the id of a message: this one, or of the
    version to turn to; `on_vote` gets what it shall be, too.
    """

    library = script("messages/message_actions.jsx")
    tag = "MessageActions"
    message_id: rx.Var[str]
    role: rx.Var[str]
    text: rx.Var[str]
    parts: rx.Var[list[Any]]
    whole: rx.Var[bool]
    place: rx.Var[int]
    count: rx.Var[int]
    previous: rx.Var[str]
    next: rx.Var[str]
    on_regenerate: rx.EventHandler[one_text]
    on_select: rx.EventHandler[one_text]
    vote: rx.Var[str]
    on_fork: rx.EventHandler[one_text]
    on_vote: rx.EventHandler[two_texts]


bubble = Bubble.create
message_actions = MessageActions.create
